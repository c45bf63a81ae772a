"""Whoever trains, what a training says is the same, and each is done once."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from app.cluster.hiring import nothing
from app.cluster.joining import Cluster
from app.cluster.pool import ClusterHands, hired
from app.runs.truth import scores as scoring
from app.runs.truth.experiment import Extent, run
from app.runs.truth.trainings import MODEL, TRAININGS, finished
from app.showing import Bar, unseen
from tests.support.members import killed_process
from tests.support.small_truth import experiment_in

EXTENT = Extent(5, 0, ticked=1)
TIMES = ("seconds", "processor_seconds")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an experiment that one process made."""
    return made(tmp_path_factory.mktemp("alone"))


@pytest.fixture
def hands(ray: Any, cluster: Cluster) -> ClusterHands[None]:
    return hired(ray, cluster, nothing, "cpu")


def made(folder: Path, **how: Any) -> Path:
    run(experiment_in(folder / "work"), EXTENT, folder / "out.json.gz", "startrail truth", **how)
    return folder


def timeless(value: Any) -> Any:
    """Without what a clock said."""
    if isinstance(value, dict):
        return {key: timeless(each) for key, each in value.items() if key not in TIMES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


def kept(folder: Path) -> dict[str, Any]:
    """Every file of an experiment, and its outcome, by name: its bytes, or where a clock is told what else it says.

    The optimizer's has notes that safetensors puts in another order each time that it writes them.
    """
    found: dict[str, Any] = {}
    if (out := folder / "out.json.gz").is_file():
        found["out"] = timeless(json.loads(gzip.decompress(out.read_bytes())))
    for file in (folder / "work").rglob("*"):
        if file.name == TRAININGS:
            found[file.name] = [timeless(json.loads(line)) for line in file.read_text().splitlines()]
        elif file.name == "training.json":
            found[file.name] = timeless(json.loads(file.read_text()))
        elif file.name == "optimizer.safetensors":
            with safe_open(file, framework="np") as saved:
                names = saved.keys()  # saved itself cannot be iterated over
                found[file.name] = (
                    saved.metadata(),
                    {name: saved.get_tensor(name).tobytes() for name in names},
                )
        elif file.is_file():
            found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def bar(told: Callable[[int, int], None], work: str = "Trainings") -> Bar:
    """What is told of the trainings, or of other work."""

    @contextmanager
    def of(what: str) -> Iterator[Any]:
        yield lambda done, total, label=None: told(done, total) if what == work else None

    return of


def test_two_members_train_what_one_process_trains(
    alone: Path, hands: ClusterHands[None], tmp_path: Path
) -> None:
    """The model of everything, the scores by it, every training in order and the outcome."""
    told: list[tuple[int, int]] = []
    made(tmp_path, hands=hands, bar=bar(lambda *said: told.append(said)))
    found, wanted = kept(tmp_path), kept(alone)
    assert found.keys() == wanted.keys()
    assert f"work/{MODEL}/model.safetensors" in found
    for name, content in wanted.items():
        assert found[name] == content, name
    assert told == [*((done, 6) for done in range(1, 7)), (1, 1)]


def test_a_member_killed_in_the_middle_changes_nothing(
    ray: Any, alone: Path, hands: ClusterHands[None], tmp_path: Path
) -> None:
    """kill -9 while trainings are under way: another process takes its place, and does them again."""
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if not killed:
            killed.append(killed_process(ray, hands.members[1]))

    made(tmp_path, hands=hands, bar=bar(kill))
    assert kept(tmp_path) == kept(alone)
    assert ray.get(hands.members[1].process.remote()) != killed[0]


@pytest.mark.parametrize("work", ["Encoding, trackstar", "Products of whole gradients"])
def test_a_member_killed_while_passages_are_scored_changes_no_score(
    ray: Any,
    alone: Path,
    hands: ClusterHands[None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    work: str,
) -> None:
    """kill -9 after the first batch of several; scores and factors are the files of one process."""
    monkeypatch.setattr(scoring, "BATCH_TOKENS", 64)
    monkeypatch.setattr(scoring, "WHOLE_TOKENS", 64)
    killed: list[int] = []

    def kill(done: int, total: int) -> None:
        if not killed:
            assert done < total
            killed.append(killed_process(ray, hands.members[0]))

    found = {}
    for name, who in {"one": None, "two": hands}.items():
        place = tmp_path / name / "work"
        shutil.copytree(alone / "work" / MODEL, place / MODEL)
        scoring.scores(experiment_in(place), bar(kill, work) if who else unseen, who)
        found[name] = kept(tmp_path / name)
    assert "work/scores.npz" in found["one"]
    assert found["two"] == found["one"]
    assert ray.get(hands.members[0].process.remote()) != killed[0]


def test_what_was_stopped_goes_on_and_trains_nothing_twice(
    alone: Path, hands: ClusterHands[None], tmp_path: Path
) -> None:
    """Stopped as the third is told: two lines are there, and the command given again makes the others."""

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(tmp_path, hands=hands, bar=bar(stop))
    assert len(finished(tmp_path / "work")) == 2
    made(tmp_path, hands=hands)
    assert kept(tmp_path) == kept(alone)
