"""Whoever takes the steps of tail-patch, the figures are the same to the bit."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands
from app.evaluation import patching
from app.evaluation.patching import patch_runs
from app.models.load import LoadedModel, load_model
from app.models.step_work import StepMade
from app.models.steps import TailPatch
from app.store.engine import Store
from tests.support import tiny
from tests.support.asking import made_home, settings_of
from tests.support.commands import startrail
from tests.support.members import killed_process
from tests.support.patched import FACTS, changes, put_runs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RUNS = ("bm25", "ours")
Figures = dict[str, dict[tuple[str, int], float]]


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(settings_of(made_home()).models / "demo")


@pytest.fixture
def hands(ray: Any, cluster: Cluster, model: LoadedModel) -> ClusterHands[LoadedModel]:
    return members_of(ray, cluster, {"path": model.path}, "cpu")(model)


@pytest.fixture
def alone(store: Store, database_url: str, model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> Figures:
    """What one process measures; whoever measures after it does so again."""
    monkeypatch.setattr(patching, "CHUNK", 2)  # of some thirty passages
    put_runs(store, database_url)
    patch_runs(store, RUNS, TailPatch(model), task="fact")
    return figures(store)


def figures(store: Store) -> Figures:
    return {run: changes(store, run) for run in RUNS}


@on_sqlite
def test_two_members_measure_what_one_process_measures(
    store: Store, alone: Figures, hands: ClusterHands[LoadedModel]
) -> None:
    """The step itself is made by one of them; progress ends at its total, and nothing is left to do."""
    told: list[tuple[int, int]] = []
    (patch,) = hands.each(StepMade("", None, ()), [[None]])
    done = patch_runs(
        store, RUNS, patch, task="fact", again=True, hands=hands, progress=lambda *said: told.append(said)
    )
    assert alone == figures(store)
    assert len(alone["ours"]) == 4 * FACTS
    assert told[-1] == (done, done)
    assert told == sorted(told)
    assert len(told) > 4
    assert patch_runs(store, RUNS, patch, task="fact", hands=hands) == 0


@on_sqlite
def test_a_member_killed_in_the_middle_changes_no_figure(
    ray: Any, store: Store, alone: Figures, model: LoadedModel, hands: ClusterHands[LoadedModel]
) -> None:
    """kill -9 while steps are taken: another process takes its place, and takes those that it had in hand."""
    killed: list[int] = []

    def progress(done: int, total: int) -> None:
        if done > total // 3 and not killed:
            killed.append(killed_process(ray, hands.members[0]))

    patch_runs(store, RUNS, TailPatch(model), task="fact", again=True, hands=hands, progress=progress)
    assert figures(store) == alone
    assert ray.get(hands.members[0].process.remote()) != killed[0]


def test_a_step_that_is_estimated_by_a_member_is_that_of_one_process(
    ray: Any, cluster: Cluster, tmp_path: Path
) -> None:
    """State and learning rate, to the bit; what comes back has no model, and steps on one that is opened here."""
    loaded = load_model(tiny.save_model(tmp_path / "m"))
    hands = members_of(ray, cluster, {"path": loaded.path}, "cpu")(loaded)
    (made,) = hands.each(StepMade("adafactor", None, tiny.TEXTS), [[None]])
    own = TailPatch(loaded, optimizer="adafactor", sample=tiny.TEXTS)
    assert made.settings == own.settings
    assert made.update.moments.keys() == own.update.moments.keys()
    for name, moments in own.update.moments.items():
        assert all(torch.equal(value, made.update.moments[name][key]) for key, value in moments.items())
    assert not hasattr(made, "model")
    assert made.on(loaded).model is loaded


@on_sqlite
def test_the_command_says_the_figures_of_one_process(
    ray: Any, store: Store, database_url: str, alone: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the Ray that this process is connected to already."""
    monkeypatch.setattr(Cluster, "joined", lambda self: nullcontext(ray))
    monkeypatch.setenv("STARTRAIL_HOME", str(made_home()))
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    said = startrail("evaluate", "--runs", "bm25,ours", "--tail-patch", 4, "--again", "--cluster", "auto")
    assert said.exit_code == 0, said.output
    assert "Tail-patch" in said.output
    assert figures(store) == alone
