"""Files of incorrect predictions: their target is what the model said. They go out, and in again beside the truth."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.errors import UserError
from app.files import json_line
from app.interchange.results import Destination, export_results, import_results
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.models import register_model
from app.store.prompts import PromptRecord, add_prompts
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.tracing.explained import asked_of
from app.web.evidence.answered import probability_of
from tests.support.paper_records import paper_record, write

PROMPT = PromptRecord("peru", "The currency of Peru is the", "sol", aliases=["nuevo sol"])
OURS = Destination("questions", "world", "m", "trackstar")


def made_here(store: Store) -> None:
    """A run of what the model said to a prompt, in a store whose prompt set belongs to a corpus."""
    with store.session() as session:
        corpus = add_corpus(
            session, "world", [PassageRecord("a", "Pay in pesos."), PassageRecord("b", "Sol.")]
        )
        prompts = add_prompts(session, "questions", [PROMPT], corpus=corpus)
        model = register_model(session, "m")
        prompt = session.scalars(select(Prompt)).one()
        session.add(
            Output(
                model_id=model.id, prompt_id=prompt.id, answer="peso", correct=False, probability=0.125,
                said=" peso, said Ana", said_tokens=[1, 2], said_probability=0.5,
            )
        )  # fmt: skip
        run = Run(
            slug="said", name="said", method="trackstar", model=model, corpus=corpus, prompt_set=prompts,
            explains="said", prompt_count=1,
        )  # fmt: skip
        session.add(run)
        session.flush()
        result = Result(run_id=run.id, prompt_id=prompt.id, position=0, top_score=2.0)
        session.add(result)
        session.flush()
        passage = session.scalars(select(Passage).where(Passage.external_id == "a")).one()
        session.add(
            Retrieved(result_id=result.id, side="proponent", rank=1, passage_id=passage.id, score=2.0)
        )


def exported(store: Store, slug: str) -> list[dict[str, Any]]:
    with store.session() as session:
        run = session.scalars(select(Run).where(Run.slug == slug)).one()
        return list(export_results(session, run))


def brought_in(store: Store, file: Path, into: Destination) -> tuple[str, str, float | None, str]:
    """What a run explains after its import: of all, of its first prompt, how likely, and that prompt's id."""
    with store.session() as session:
        run = import_results(session, file, run="again", into=into)
        result = session.scalars(select(Result).where(Result.run_id == run.id)).one()
        output = session.scalars(
            select(Output).where(Output.model_id == run.model_id, Output.prompt_id == result.prompt_id)
        ).one()
        prompt = session.get_one(Prompt, result.prompt_id)
        said = asked_of(run.explains, prompt, output).explained.strip()
        assert output.correct is False
        return run.explains, said, probability_of(run.explains, output), prompt.external_id


@pytest.mark.parametrize(
    "into",
    [
        OURS,
        Destination("questions", "world", "another", "trackstar"),
        Destination("elsewhere", "other", "x", "y"),
    ],
)
def test_a_run_of_what_was_said_comes_back_as_one(store: Store, tmp_path: Path, into: Destination) -> None:
    """Into the prompt set that knows the truth as its target it was refused; what was said is no second prompt there."""
    made_here(store)
    (record,) = exported(store, "said")
    assert (record["targets_plaintext"], record["groundtruth"], record["explains"]) == ("peso", "sol", "said")
    file = tmp_path / "said.jsonl"
    file.write_bytes(json_line(record))
    assert brought_in(store, file, into) == ("said", "peso", 0.5, "peru")
    assert [json.dumps(each) for each in exported(store, "again")] == [json.dumps(record)]
    with store.session() as session:
        own = session.scalars(select(Prompt).where(Prompt.prompt_set.has(name="questions"))).one()
        assert (own.target, own.aliases) == ("sol", ["nuevo sol"])


def test_the_papers_file_of_incorrect_predictions_finds_the_prompts_it_is_about(
    store: Store, tmp_path: Path
) -> None:
    """It has no field of ours: that its target is not the truth says what it explains."""
    made_here(store)
    asked: dict[str, Any] = {"example_id": "peru", "inputs_plaintext": PROMPT.text}
    theirs = paper_record(
        **asked, targets_plaintext="dollar", groundtruth="sol", is_8b_correct=False, target_probability=0.25
    )
    file = write(tmp_path / "incorrect.jsonl", [theirs])
    into = Destination("questions", "theirs", "8b", "trackstar")
    assert brought_in(store, file, into) == ("said", "dollar", 0.25, "peru")
    assert exported(store, "again") == [theirs]


@pytest.mark.parametrize("changes", [{"groundtruth": "euro"}, {"inputs_plaintext": "In Peru they pay with"}])
def test_a_prediction_about_another_prompt_is_still_refused(
    store: Store, tmp_path: Path, changes: dict[str, Any]
) -> None:
    made_here(store)
    asked: dict[str, Any] = {"example_id": "peru", "inputs_plaintext": PROMPT.text, "groundtruth": "sol"}
    record = paper_record(**asked | {"targets_plaintext": "peso", "is_8b_correct": False} | changes)
    file = write(tmp_path / "a.jsonl", [record])
    with (
        pytest.raises(UserError, match="is not, or not with this text and target"),
        store.session() as session,
    ):
        import_results(session, file, run="again", into=OURS)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"targets_plaintext": "dollar", "groundtruth": "sol", "is_8b_correct": False}, "targets_plaintext"),
        ({"targets_plaintext": "sol", "model_answer": "dollar", "is_8b_correct": False}, "model_answer"),
    ],
)
def test_another_prediction_of_the_same_model_is_refused_by_name(
    store: Store, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    """The first answer stayed without a word, and the page explained it by passages that were traced for the second."""
    made_here(store)
    record = paper_record(example_id="peru", inputs_plaintext=PROMPT.text, **changes)
    file = write(tmp_path / "incorrect.jsonl", [record])
    with (
        pytest.raises(UserError, match=r"“peru” this model answered “peso”.*“dollar”") as refused,
        store.session() as session,
    ):
        import_results(session, file, run="again", into=Destination("questions", "theirs", "m", "trackstar"))
    assert (refused.value.line, refused.value.field) == (1, field)
    assert str(file) in str(refused.value.file)
    assert "--model" in str(refused.value.remedy)
    # Under a model's name of its own the prediction is kept beside the other one.
    other = Destination("questions", "theirs", "8b", "trackstar")
    with store.session() as session:
        run = import_results(session, file, run="again", into=other)
        answers = dict(session.execute(select(Output.model_id, Output.answer)).all())
        assert sorted(str(each) for each in answers.values()) == ["dollar", "peso"]
        assert answers[run.model_id] == "dollar"


def test_the_same_answer_told_again_is_no_other(store: Store, tmp_path: Path) -> None:
    """A file over targets says that the answer was wrong, not what it was; one right by an alias says the target."""
    made_here(store)
    told: list[dict[str, Any]] = [
        {"is_8b_correct": False},
        {"is_8b_correct": False, "groundtruth": "sol"},
        {"model_answer": " peso"},
    ]
    for number, changes in enumerate(told):
        record = paper_record(
            example_id="peru", inputs_plaintext=PROMPT.text, targets_plaintext="sol", **changes
        )
        file = write(tmp_path / f"{number}.jsonl", [record])
        with store.session() as session:
            import_results(
                session, file, run=f"run-{number}", into=Destination("questions", "theirs", "m", "trackstar")
            )
    with store.session() as session:
        assert session.scalars(select(Output.answer)).all() == ["peso"]
