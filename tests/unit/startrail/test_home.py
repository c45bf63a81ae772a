"""A notebook works on a home: it builds an index, traces, steps, and what it made is there for the site."""

import shutil
import threading
from pathlib import Path

import pytest

import startrail
from app.store.prompts import PromptRecord, add_prompts
from startrail import Home, UserError
from tests.support.asking import made_home, passages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small home, to write in."""
    return Path(shutil.copytree(made_home(), tmp_path_factory.mktemp("door") / "home"))


def test_a_question_is_answered_and_checked(place: Path) -> None:
    """No server, no worker: the home brings its own, and takes it with it."""
    before = set(threading.enumerate())
    with Home(place, device="cpu") as home:
        answer = home.trace("The capital of France is", " Paris", k=4, opponents=True)
        assert [each.rank for each in answer.proponents] == [1, 2, 3, 4]
        assert answer.opponents
        assert not answer.generated
        assert 0 < answer.probability < 1
        steps = home.step(answer, control=2)
        assert set(steps.changes) == {each.passage_id for each in answer.proponents}
        assert len(steps.control) == 2
        assert steps.settings["optimizer"] == "adafactor"
    left = {each.name for each in {*threading.enumerate()} - before} & {"startrail", "heartbeat"}
    assert not left, "no worker outlives its home"


def test_what_is_wrong_with_a_question_is_said(place: Path) -> None:
    with Home(place, device="cpu") as home, pytest.raises(UserError) as error:
        home.trace("")
    assert error.value.field == "prompt"


def test_an_index_is_built_and_asked(place: Path) -> None:
    """From a dictionary of texts to a run, in the words of the commands."""
    with Home(place, device="cpu") as home:
        assert home.add_corpus(dict(passages()[:40]), "few") == 40
        seen: list[tuple[int, int]] = []
        manifest = home.build_index(
            "demo",
            "few",
            projection_dim=4,
            sample=20,
            progress=lambda done, total: seen.append((done, total)),
        )
        assert manifest.corpus.name == "few"
        assert seen[-1][0] == seen[-1][1]
        assert home.trace("The capital of", "it", index="demo-few", k=3).proponents
        with home.store.session() as session:
            add_prompts(session, "ask", [PromptRecord("a", "The capital of", "it")])
        run = home.retrieve("demo-few", "ask", "bm25", k=3)
        assert [each["slug"] for each in home.runs()] == [run]
        with pytest.raises(UserError, match="R_eval"):
            home.build_index("demo", "few", task_prompts="ask", name="other")
        with pytest.raises(UserError, match="cannot be an index"):
            home.build_index("demo", "few", name="../out")


def test_the_version_is_the_package_s() -> None:
    assert startrail.__version__
