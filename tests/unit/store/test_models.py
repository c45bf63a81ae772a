"""Models in the store: a home that moved finds them, and their newest answers stand."""

from pathlib import Path

from sqlalchemy import func, select

from app.store.engine import Store
from app.store.models import find_checkpoint, put_outputs, register_model
from app.store.prompts import (
    PromptRecord,
    add_prompts,
    list_prompts,
)  # fmt: skip
from app.store.tables import Model, Output


def test_a_home_that_moved_finds_its_model(tmp_path: Path) -> None:
    """Weights are where the home is now, not where they were when the model was registered."""
    here = tmp_path / "models" / "demo"
    here.mkdir(parents=True)
    model = Model(name="demo", path="elsewhere/models/demo")
    (here / "optimizer.safetensors").touch()
    assert find_checkpoint(model, tmp_path / "models") is None, "an optimizer's state is no model"
    (here / "model-00001-of-00002.safetensors").touch()
    assert find_checkpoint(model, tmp_path / "models") == here


def test_a_model_outside_the_home_is_found_where_it_was_registered(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    assert find_checkpoint(Model(name="big", path=str(tmp_path)), tmp_path / "models") == tmp_path
    assert find_checkpoint(Model(name="imported", path=None), tmp_path / "models") is None


def test_a_later_output_of_the_same_model_gives_way(store: Store) -> None:
    with store.session() as session:
        prompts = add_prompts(session, "s", [PromptRecord(str(n), f"text {n}", "x") for n in range(3)])
        asked = list_prompts(session, prompts.id)
        mine, other = register_model(session, "mine", parameters=5), register_model(session, "other")
        assert register_model(session, "mine", path="/m").id == mine.id
        for model, answer in ((mine, "old"), (other, "theirs"), (mine, "new")):
            row = {
                "answer": answer,
                "correct": True,
                "probability": 0.5,
                "confidence": 1.0,
                "samples": [answer],
            }
            assert put_outputs(session, model.id, [{"prompt_id": each.id, **row} for each in asked]) == 3
        answers = session.execute(
            select(Output.model_id, Output.answer, func.count()).group_by(Output.model_id, Output.answer)
        )
        assert sorted(answers.tuples().all()) == [(mine.id, "new", 3), (other.id, "theirs", 3)]
