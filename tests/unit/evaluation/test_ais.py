"""AIS scores by an entailment model on disk. Here a tiny one with random weights: what counts is what it is asked."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from sqlalchemy import select

from app.errors import UserError
from app.evaluation.ais import Entailment, Pair, claim_of, score_run
from app.evaluation.report import evaluate_runs
from app.models.hands import OwnHands
from app.store.engine import Store
from app.store.runs import get_run
from app.store.tables import Result, Retrieved, Run
from tests.support.entailment import save_entailment
from tests.support.evaluated import fill


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_entailment(tmp_path_factory.mktemp("nli"))


def test_the_claim_is_the_prompt_with_its_target_as_a_sentence() -> None:
    assert claim_of("The capital of Mali is", "Bamako") == "The capital of Mali is Bamako."
    assert claim_of("The capital of Mali is", " Bamako.") == "The capital of Mali is Bamako."


def test_scores_are_probabilities_whatever_else_is_in_the_batch(model_path: Path) -> None:
    model = Entailment(model_path)
    assert model.label == 2
    pairs = [
        (f"the capital of land {n} is town {n % 3} . " * (1 + n % 4), "land is town .") for n in range(9)
    ]
    together = [score for score, _ in model.scores(pairs)]
    alone = [model.scores([pair])[0][0] for pair in pairs]
    assert together == pytest.approx(alone, abs=1e-5)
    assert all(0 < score < 1 for score in together)


def test_a_long_passage_is_scored_by_its_best_window_of_whole_sentences(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Entailment(model_path)
    seen: list[str] = []

    def by_length(pairs: Sequence[Pair]) -> list[float]:
        seen.extend(premise for premise, _ in pairs)
        return [0.9 if "town 7" in premise else 0.1 for premise, _ in pairs]

    monkeypatch.setattr(model, "_probabilities", by_length)
    sentences = [f"the capital of land {n} is town {n}." for n in range(10)]
    [(score, window)] = model.scores([(" ".join(sentences), "land 7 is town 7 .")])
    assert score == 0.9
    assert "town 7" in window
    assert " ".join(seen) == " ".join(sentences), "nothing is left out"
    assert len(seen) > 2
    room = 32 - len(model.tokenizer("land 7 is town 7 .")["input_ids"]) - 2
    assert all(len(model.tokenizer.tokenize(each)) <= room for each in seen)


def test_a_run_is_scored_once_and_its_figures_follow_the_threshold(
    model_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the first piece, the rest is scored; scores that came with a file stay as they are."""
    with store.session() as session:
        fill(session, evaluate=False)
        run = get_run(session, "bm25")
        first = session.scalars(select(Result).where(Result.run_id == run.id).order_by(Result.id)).first()
        assert first is not None
        given = session.get_one(Retrieved, (first.id, "proponent", 1))
        given.ais_score = 0.123
    model = Entailment(model_path)
    monkeypatch.setattr(
        model, "_probabilities", lambda pairs: [0.9 if " is Town" in premise else 0.1 for premise, _ in pairs]
    )

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert 0 < done < total == 239
        raise Stopped

    with pytest.raises(Stopped):
        score_run(store, run, model.path.name, OwnHands(model), progress=stop)
    left = score_run(store, run, model.path.name, OwnHands(model))
    assert 0 < left < 239
    assert score_run(store, run, model.path.name, OwnHands(model)) == 0
    with store.session() as session:
        run = session.get_one(Run, run.id)
        assert run.metrics["ais_model"] == model_path.name
        assert session.get_one(Retrieved, (first.id, "proponent", 1)).ais_score == 0.123
        low, high = (
            evaluate_runs(session, [run], threshold=at)["bm25"]["fact"]["overall"]["ais_recall_at_10"]["mean"]
            for at in (0.5, 0.95)
        )
    assert low > high == 0


def test_a_model_that_cannot_say_entailment_is_refused(model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no entailment model here"):
        Entailment(tmp_path)
    shutil.copytree(model_path, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(config.read_text().replace("Entailment", "Agreement"))
    with pytest.raises(UserError, match="None of the model's labels"):
        Entailment(tmp_path / "other")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", b"{", "cannot be loaded"),
        ("model.safetensors", b"cut", "cannot be loaded"),
        ("model.safetensors", None, "cannot be loaded"),
        ("tokenizer.json", b"[", "cannot be loaded"),
    ],
)
def test_a_damaged_model_is_one_error(
    model_path: Path, tmp_path: Path, file: str, content: bytes | None, says: str
) -> None:
    shutil.copytree(model_path, tmp_path / "other")
    broken = tmp_path / "other" / file
    broken.unlink() if content is None else broken.write_bytes(content)
    with pytest.raises(UserError, match=says):
        Entailment(tmp_path / "other")


def test_a_classifier_without_its_weights_is_refused(model_path: Path, tmp_path: Path) -> None:
    """transformers would make up its last layer, and scores of 0.3 to 0.7 would look like judgements."""
    shutil.copytree(model_path, tmp_path / "other")
    weights = load_file(model_path / "model.safetensors")
    kept = {name: each for name, each in weights.items() if not name.startswith("classifier")}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "other" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="made up at random"):
        Entailment(tmp_path / "other")
