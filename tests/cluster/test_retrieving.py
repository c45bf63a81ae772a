"""Whoever encodes the prompts and orders what was found for them, the run is the same to the bit."""

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands
from app.curvature.deciding import InOrder
from app.errors import UserError
from app.models.hands import own_hands
from app.models.load import LoadedModel, load_model
from app.runs.answers import ensure_answers
from app.runs.inputs import contrasting, open_inputs
from app.runs.ranking import request
from app.runs.ranking.request import Ranked, RankingRequest, rank
from app.store.corpora import get_corpus
from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts
from app.store.runs import get_run
from app.store.tables import Result, Retrieved, Run
from app.words.methods import METHODS, TRACKSTAR, TWO_STAGES
from tests.support.asking import made_home, put_corpus, settings_of
from tests.support.commands import refused, startrail
from tests.support.members import killed_process

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NAMES = ("Mali", "Japan", "Ghana", "Peru", "Chad", "Oman")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of our own, for factors are written beside the index."""
    shutil.copytree(made_home(), tmp_path / "home", ignore=shutil.ignore_patterns("*.db*"))
    return tmp_path / "home"


@pytest.fixture
def asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts, and one with choices; few are encoded together, so that there are several pieces."""
    monkeypatch.setattr(request, "AT_ONCE", 2)
    put_corpus(store)
    records = [PromptRecord(f"c{n}", f"The capital of {each} is", "Lima") for n, each in enumerate(NAMES)]
    records.append(PromptRecord("choice", "Two and two make", "four", task="sums", choices=["four", "five"]))
    with store.session() as session:
        add_prompts(session, "asked", records, corpus=get_corpus(session, "demo"))


@pytest.fixture
def hands(ray: Any, cluster: Cluster, home: Path) -> ClusterHands[LoadedModel]:
    path = home / "models" / "demo"
    return members_of(ray, cluster, {"path": path}, "cpu")(load_model(path))


def ranked(
    store: Store,
    home: Path,
    method: str,
    hands: ClusterHands[LoadedModel] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Ranked:
    """What a method finds; the prompt with choices is asked against the likelier other one."""
    with store.session() as session:
        opened = open_inputs(session, settings_of(home), "demo", "asked", lambda own: hands or own_hands(own))
        ensure_answers(session, opened, samples=1)
        inputs = contrasting(session, opened)
        return rank(RankingRequest(session, inputs, METHODS[method], 5, 3, "", None, progress))


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("method", [TRACKSTAR, TWO_STAGES])
def test_two_members_find_what_one_process_finds(
    store: Store, home: Path, hands: ClusterHands[LoadedModel], method: str
) -> None:
    """Scores to the bit, what of them is chance, and what is said of the run; progress ends at its total."""
    told: list[tuple[int, int]] = []
    alone = ranked(store, home, method)
    assert ranked(store, home, method, hands, lambda *said: told.append(said)) == alone
    assert len(alone[0]) == len(NAMES) + 1
    assert told[-1] == (len(NAMES) + 1,) * 2
    assert told == sorted(told)


@pytest.mark.usefixtures("asked")
def test_a_member_killed_in_the_middle_changes_no_list(
    ray: Any, store: Store, home: Path, hands: ClusterHands[LoadedModel]
) -> None:
    """kill -9 while candidates are put in order: another process takes its place, and those that it had in hand."""
    alone = ranked(store, home, TWO_STAGES)
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if not killed:
            killed.append(killed_process(ray, hands.members[0]))

    assert ranked(store, home, TWO_STAGES, hands, kill) == alone
    assert ray.get(hands.members[0].process.remote()) != killed[0]


@pytest.mark.usefixtures("asked")
def test_other_factors_at_the_same_place_are_refused(
    store: Store, home: Path, hands: ClusterHands[LoadedModel]
) -> None:
    """Machines with an index of their own must not mix two curvatures in one run."""
    ranked(store, home, TWO_STAGES)
    work = InOrder(home / "indexes" / "demo", "0" * 64, 5)
    with pytest.raises(UserError, match="others than those that are worked with"):
        next(hands.each(work, [[None]]))


@pytest.mark.usefixtures("asked")
def test_the_command_saves_the_run_of_one_process(
    ray: Any, store: Store, database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the Ray that this process is connected to already."""
    monkeypatch.setattr(Cluster, "joined", lambda self: nullcontext(ray))
    monkeypatch.setenv("STARTRAIL_HOME", str(home))
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    asked = ("retrieve", "demo", "--prompts", "asked", "--method", TWO_STAGES, "--explain", "target")
    for name, more in {"alone": (), "spread": ("--cluster", "auto")}.items():
        said = startrail(*asked, "--run", name, *more)
        assert said.exit_code == 0, said.output
    assert found(store, "spread") == found(store, "alone")


def found(store: Store, slug: str) -> tuple[Any, ...]:
    """A run's configuration and all that it found."""
    query = (
        select(Result.position, Result.prompt_id, Retrieved.side, Retrieved.rank)
        .add_columns(Retrieved.passage_id, Retrieved.score)
        .join(Retrieved, Retrieved.result_id == Result.id)
        .join(Run, Run.id == Result.run_id)
        .where(Run.slug == slug)
        .order_by(Result.position, Retrieved.side, Retrieved.rank)
    )
    with store.session() as session:
        return get_run(session, slug).configuration, session.execute(query).all()


@pytest.mark.usefixtures("asked")
def test_where_no_cluster_is_the_command_says_so(
    ray: Any, database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(**how: Any) -> None:
        raise ConnectionError("nothing answers there")

    monkeypatch.setattr(ray, "init", nobody)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("STARTRAIL_HOME", str(home))
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    said = startrail("retrieve", "demo", "--prompts", "asked", "--cluster", "ray://nobody:10001")
    refused(said, "No Ray cluster can be joined at ray://nobody:10001", "nothing answers there")
