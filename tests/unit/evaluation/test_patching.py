"""Tail-patch over runs: work that is stopped goes on where it was, and every figure is of one kind of step."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.errors import UserError
from app.evaluation import patching
from app.evaluation.patching import patch_runs
from app.evaluation.report import evaluate_runs
from app.models.load import load_model
from app.models.steps import TailPatch
from app.models.text import Query
from app.store.engine import Store
from app.store.evaluations import figures_of
from app.store.runs import get_run
from app.store.tables import Passage, Prompt, Result, Retrieved, Run
from tests.support.asking import made_home, settings_of
from tests.support.patched import FACTS, changes, put_runs

K = 4


@pytest.fixture(scope="module")
def patch() -> TailPatch:
    return TailPatch(load_model(settings_of(made_home()).models / "demo", device="cpu"))


@pytest.fixture
def runs(store: Store, database_url: str) -> Store:
    put_runs(store, database_url)
    return store


class Stopped(BaseException):
    """Somebody pressed Ctrl-C."""


@pytest.mark.slow
def test_work_that_was_stopped_goes_on_where_it_was(
    runs: Store, patch: TailPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the second save: what was saved stays, only the rest is computed, the figures are the same."""
    monkeypatch.setattr(patching, "CHUNK", 3)
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        patch_runs(runs, ["bm25", "ours"], patch, k=K, task="fact", progress=stop)
    done, total = seen[-1]
    assert 0 < done < total
    half = changes(runs, "bm25") | {("ours", *key): value for key, value in changes(runs, "ours").items()}
    assert half

    trained: list[str] = []
    measure = patch.measure_all

    def counted(queries: list[Query], texts: list[str], **rest: Any) -> list[list[float]]:
        trained.extend(texts)
        return measure(queries, texts, **rest)

    monkeypatch.setattr(patch, "measure_all", counted)
    assert patch_runs(runs, ["bm25", "ours"], patch, k=K, task="fact") == total - done
    assert len(trained) == len(set(trained)), "each passage is trained on once"
    whole = changes(runs, "bm25") | {("ours", *key): value for key, value in changes(runs, "ours").items()}
    assert len(whole) == 2 * K * FACTS
    assert {key: whole[key] for key in half} == half
    assert patch_runs(runs, ["bm25", "ours"], patch, k=K, task="fact") == 0, "nothing is left to do"

    monkeypatch.setattr(patching, "CHUNK", 64)
    patch_runs(runs, ["bm25", "ours"], patch, k=K, task="fact", again=True)
    again = changes(runs, "bm25") | {("ours", *key): value for key, value in changes(runs, "ours").items()}
    assert again == pytest.approx(whole, abs=1e-6), "an undisturbed run finds the same"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_saved_is_what_the_library_call_says(runs: Store, patch: TailPatch) -> None:
    """For one prompt each passage by itself; the sum is left out, and lists show the mean."""
    patch_runs(runs, ["bm25"], patch, k=2, task="fact")
    found = changes(runs, "bm25")
    assert {prompt for prompt, _ in found} == {f"c{n}" for n in range(FACTS)}
    assert {rank for _, rank in found} == {1, 2}
    with runs.session() as session:
        own = select(Result).join(Run).join(Prompt).where(Run.slug == "bm25", Prompt.external_id == "c0")
        result = session.scalars(own).one()
        texts = session.scalars(
            select(Retrieved.passage_id)
            .where(Retrieved.result_id == result.id, Retrieved.side == "proponent")
            .order_by(Retrieved.rank)
            .limit(2)
        ).all()
        said = [session.get_one(Passage, id_).text for id_ in texts]
        alone = patch.measure(Query("The capital of Mali is", "Lima"), said)
        assert [found["c0", 1], found["c0", 2]] == pytest.approx(alone, abs=1e-6)
        assert result.tail_patch == pytest.approx(sum(alone) / 2, abs=1e-6)
        assert get_run(session, "bm25").metrics["tail_patch_settings"] == patch.settings


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_limit_draws_the_same_prompts_for_every_run(runs: Store, patch: TailPatch) -> None:
    patch_runs(runs, ["bm25"], patch, k=1, task="fact", limit=2, seed=3)
    patch_runs(runs, ["ours"], patch, k=1, task="fact", limit=2, seed=3)
    few = changes(runs, "bm25")
    assert few.keys() == changes(runs, "ours").keys()
    assert len(few) == 2
    patch_runs(runs, ["bm25"], patch, k=1, task="fact", limit=3, seed=3)
    assert few.items() < changes(runs, "bm25").items(), "a higher limit goes on from a lower one"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_figures_of_two_learning_rates_are_never_mixed(runs: Store, patch: TailPatch) -> None:
    patch_runs(runs, ["bm25"], patch, k=1, task="fact")
    before = changes(runs, "bm25")
    larger = TailPatch(patch.model, learning_rate=2 * patch.rate)
    with pytest.raises(UserError, match="other settings") as refused:
        patch_runs(runs, ["bm25"], larger, k=2, task="fact")
    assert "--again" in str(refused.value)
    assert changes(runs, "bm25") == before
    patch_runs(runs, ["bm25"], larger, k=1, task="fact", again=True)
    after = changes(runs, "bm25")
    assert after.keys() == before.keys()
    assert all(after[key] != before[key] for key in before)
    with runs.session() as session:
        assert session.scalar(select(func.count()).where(Retrieved.tail_patch.is_not(None))) == FACTS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_figure_stands_beside_a_step_it_is_not_of(runs: Store, patch: TailPatch) -> None:
    """Stopped while all is measured anew, with another learning rate: the figures of the old one are gone with it."""
    patch_runs(runs, ["bm25"], patch, k=1, task="fact")
    with runs.session() as session:
        evaluate_runs(session, [get_run(session, "bm25")])
        assert "tail_patch_1" in figures_of(session, get_run(session, "bm25"))["fact"]["overall"]

    def stop(done: int, total: int) -> None:
        raise Stopped

    larger = TailPatch(patch.model, learning_rate=2 * patch.rate)
    with pytest.raises(Stopped):
        patch_runs(runs, ["bm25"], larger, k=1, task="fact", again=True, progress=stop)
    with runs.session() as session:
        run = get_run(session, "bm25")
        assert run.metrics["tail_patch_settings"] == larger.settings
        assert run.metrics["tail_patch"] is None
        assert figures_of(session, run) == {}
        assert set(session.scalars(select(Result.tail_patch).where(Result.run_id == run.id))) == {None}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_tail_patches_of_a_file_are_not_taken_for_ours(runs: Store, patch: TailPatch) -> None:
    """Nobody knows by which step they were measured: with ours beside them they would be said to be of it."""
    patch_runs(runs, ["bm25"], patch, k=1, task="fact")
    with runs.session() as session:
        get_run(session, "bm25").metrics = {}
    before = changes(runs, "bm25")
    with pytest.raises(UserError, match="came with its file") as refused:
        patch_runs(runs, ["bm25"], patch, k=2, task="fact")
    assert "--again" in str(refused.value)
    assert changes(runs, "bm25") == before
    assert patch_runs(runs, ["bm25"], patch, k=2, task="fact", again=True) == 2 * FACTS
