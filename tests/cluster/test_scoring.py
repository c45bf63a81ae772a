"""Whoever scores, AIS scores and their windows are the same to the bit."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands, Member, hired
from app.errors import UserError
from app.evaluation.ais import Entailment, EntailmentPlace, score_run
from app.models.hands import OwnHands
from app.store.engine import Store
from app.store.runs import get_run
from app.store.tables import Result, Retrieved, Run
from tests.support.commands import refused, startrail
from tests.support.entailment import save_entailment
from tests.support.evaluated import fill
from tests.support.members import killed_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PROMPTS = 80  # in five pieces
Figures = dict[tuple[int, int], tuple[Any, ...]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_entailment(tmp_path_factory.mktemp("nli"))


@pytest.fixture
def hands(ray: Any, cluster: Cluster, path: Path) -> ClusterHands[Entailment]:
    return hired(ray, cluster, partial(EntailmentPlace.of(path).opened, "cpu"), "cpu")


@pytest.fixture
def run(store: Store) -> Run:
    """A run whose passages have no scores."""
    with store.session() as session:
        fill(session, prompts=PROMPTS, evaluate=False)
        return get_run(session, "bm25")


@pytest.fixture
def alone(store: Store, run: Run, path: Path) -> Figures:
    """What one process says, which is forgotten."""
    score_run(store, run, "nli", OwnHands(Entailment(path)))
    found = figures(store, run)
    forget(store)
    return found


def figures(store: Store, run: Run) -> Figures:
    query = (
        select(
            Retrieved.result_id, Retrieved.rank, Retrieved.ais_score, Retrieved.ais_window, Result.best_ais
        )
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent")
    )
    with store.session() as session:
        return {(result, rank): tuple(said) for result, rank, *said in session.execute(query)}


def forget(store: Store) -> None:
    with store.session() as session:
        session.execute(update(Retrieved).values(ais_score=None, ais_window=None))
        session.execute(update(Result).values(best_ais=None))


@on_sqlite
def test_two_members_say_what_one_process_says(
    store: Store, run: Run, alone: Figures, hands: ClusterHands[Entailment]
) -> None:
    """Progress is told piece by piece and ends at its total; nothing is left to do."""
    told: list[tuple[int, int]] = []
    done = score_run(store, run, "nli", hands, progress=lambda *said: told.append(said))
    assert figures(store, run) == alone
    assert len({score for score, *_ in alone.values() if score is not None}) > 5
    assert [total for _, total in told] == [done] * 5
    assert told[-1] == (done, done)
    assert score_run(store, run, "nli", hands) == 0


@on_sqlite
def test_a_member_killed_in_the_middle_and_a_stop_change_no_score(
    ray: Any, store: Store, run: Run, alone: Figures, hands: ClusterHands[Entailment]
) -> None:
    """kill -9 after the first piece, and the command stopped after the third: given again, it goes on with the rest."""
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        if not killed:
            killed.append(killed_process(ray, hands.members[0]))
        elif done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_run(store, run, "nli", hands, progress=progress)
    assert ray.get(hands.members[0].process.remote()) != killed[0]
    assert 0 < score_run(store, run, "nli", hands) < len(alone) // 2
    assert figures(store, run) == alone


def test_another_model_at_the_same_place_is_refused(ray: Any, path: Path) -> None:
    member = Member(partial(EntailmentPlace(path, "0" * 64).opened, "cpu"))
    with pytest.raises(UserError, match="is another than the one that is worked with"):
        member.compute("any", [], [])


@on_sqlite
def test_the_command_says_the_scores_of_one_process(
    ray: Any,
    store: Store,
    database_url: str,
    run: Run,
    alone: Figures,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the Ray that this process is connected to already; where nobody answers, that is said."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path))
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    monkeypatch.setenv("STARTRAIL_ENTAILMENT_MODEL", str(path))
    with monkeypatch.context() as nowhere:
        nowhere.setattr(ray, "init", _nobody)
        nowhere.setattr(ray, "shutdown", lambda: None)
        said = startrail("evaluate", "--runs", "bm25", "--ais", "--cluster", "ray://nobody:10001")
        refused(said, "No Ray cluster can be joined at ray://nobody:10001")
    monkeypatch.setattr(Cluster, "joined", lambda self: nullcontext(ray))
    said = startrail("evaluate", "--runs", "bm25", "--ais", "--cluster", "auto")
    assert said.exit_code == 0, said.output
    assert figures(store, run) == alone


def _nobody(**how: Any) -> None:
    raise ConnectionError("nothing answers there")
