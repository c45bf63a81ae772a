"""Whoever fits EK-FAC's factors, their files are the same to the byte."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands
from app.curvature.damping import search_damping
from app.curvature.fit import fit_curvature
from app.curvature.parts import shared_out
from app.curvature.place import MANIFEST
from app.models.examples import TrainingExample
from app.models.load import LoadedModel, load_model
from app.settings import get_settings
from tests.support import tiny
from tests.support.commands import INDEX, startrail, written
from tests.support.members import killed_process
from tests.support.small_index import contents

BUDGET = 20_000  # bytes, so that there are several parts


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(tiny.save_model(tmp_path_factory.mktemp("model") / "m"))


@pytest.fixture(scope="module")
def sample(model: LoadedModel) -> list[TrainingExample]:
    return model.texts.passages(tiny.MANY)


@pytest.fixture(scope="module")
def alone(
    model: LoadedModel, sample: list[TrainingExample], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The factors that one process fits, and what it holds at once is another number of weights."""
    place = tmp_path_factory.mktemp("alone") / "curvature"
    fit_curvature(model, sample, place)
    return place


@pytest.fixture
def hands(ray: Any, cluster: Cluster, model: LoadedModel) -> ClusterHands[LoadedModel]:
    return members_of(ray, cluster, {"path": model.path}, "cpu")(model)


def test_two_members_fit_what_one_process_fits(
    model: LoadedModel,
    sample: list[TrainingExample],
    alone: Path,
    hands: ClusterHands[LoadedModel],
    tmp_path: Path,
) -> None:
    """Progress is told part by part and ends at its total; the damping that is searched there is the same, too."""
    told: list[tuple[int, int]] = []
    place = tmp_path / "curvature"
    factors = fit_curvature(
        model, sample, place, budget=BUDGET, hands=hands, done=lambda *said: told.append(said)
    )
    assert contents(place) == contents(alone)
    parts = len(shared_out(model.weights, BUDGET, 2))
    assert parts >= 4
    assert told == [(2 * len(sample) * at, 2 * len(sample) * parts) for at in range(1, parts + 1)]
    searched = {
        search_damping(model, factors, sample, labels="model", seed=0, budget=BUDGET, hands=who)
        for who in (None, hands)
    }
    assert len(searched) == 1


def test_a_member_killed_in_the_middle_changes_no_byte(
    ray: Any,
    model: LoadedModel,
    sample: list[TrainingExample],
    alone: Path,
    hands: ClusterHands[LoadedModel],
    tmp_path: Path,
) -> None:
    """kill -9 while parts are under way: another process takes its place, and fits what it had in hand."""
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if not killed:
            killed.append(killed_process(ray, hands.members[0]))

    fit_curvature(model, sample, tmp_path / "curvature", budget=BUDGET, hands=hands, done=kill)
    assert contents(tmp_path / "curvature") == contents(alone)
    assert ray.get(hands.members[0].process.remote()) != killed[0]


def test_a_fit_that_was_stopped_goes_on_after_its_last_whole_part(
    model: LoadedModel,
    sample: list[TrainingExample],
    alone: Path,
    hands: ClusterHands[LoadedModel],
    tmp_path: Path,
) -> None:
    """Also by one process, which has parts of its own."""
    place = tmp_path / "curvature"

    def stop(done: int, total: int) -> None:
        if done > total // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_curvature(model, sample, place, budget=BUDGET, hands=hands, done=stop)
    there = {file: file.stat().st_mtime_ns for file in place.iterdir() if file.name != MANIFEST}
    assert 0 < len(there) < len(model.weights)
    fit_curvature(model, sample, place, budget=1)
    assert contents(place) == contents(alone)
    assert {file: file.stat().st_mtime_ns for file in there} == there


def test_the_command_writes_the_index_of_one_process(
    ray: Any, model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, factors and their damping; on the Ray that this process is connected to already."""
    monkeypatch.setattr(Cluster, "joined", lambda self: nullcontext(ray))
    corpus = written(tmp_path / "corpus.jsonl")
    made: dict[str, dict[str, bytes]] = {}
    for name, more in {"alone": (), "spread": ("--cluster", "auto")}.items():
        monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / name))
        get_settings.cache_clear()
        said = startrail(
            "index", model.path, corpus, *INDEX, "--device", "cpu", "--rerank", "ekfac",
            "--rerank-damping", "0.3", *more,
        )  # fmt: skip
        assert said.exit_code == 0, said.output
        made[name] = every_file(tmp_path / name / "indexes" / "m-corpus")
    assert made["spread"].keys() == made["alone"].keys()
    assert any("curvature/" in name for name in made["alone"])
    for name, content in made["alone"].items():
        assert made["spread"][name] == content, name


def every_file(place: Path) -> dict[str, bytes]:
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}
