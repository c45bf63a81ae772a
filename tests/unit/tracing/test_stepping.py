"""Steps that nobody asked for: real ones, taken once, kept for ever, and never before a person's question."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.models.load import load_model
from app.models.steps import TailPatch
from app.models.text import Query
from app.settings import Settings
from app.store import jobs, leases, steps, traces
from app.store.engine import Store, open_store
from app.store.tables import Passage
from app.store.work_tables import StepTaken
from app.tracing import asking
from app.tracing.questions import Question
from app.tracing.worker import Worker
from tests.support.asking import made_home, settings_of, worker_of

pytestmark = pytest.mark.slow

QUESTION = Question(prompt="The currency of Ghana is the", completion=" cedi", k=5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shutil.copytree(made_home(), tmp_path / "home")
    return settings_of(tmp_path / "home", steps_per_lane=4)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def worker(settings: Settings, store: Store) -> Iterator[Worker]:
    with worker_of(settings, store) as made:
        yield made


def ask(store: Store, settings: Settings, question: Question = QUESTION) -> str:
    with store.session() as session:
        return asking.ask(session, settings, question).job.id


def found(store: Store, trace: str) -> steps.StepsOf:
    with store.session() as session:
        got = steps.steps_of(session, steps.of_trace(trace))
        assert got is not None
        return got


def test_after_the_answer_come_real_steps_on_four_lanes(
    worker: Worker, store: Store, settings: Settings
) -> None:
    id_ = ask(store, settings)
    assert worker.step() == 1
    with store.session() as session:
        assert traces.get(session, id_) is not None, "the answer does not wait for the steps"
        assert steps.steps_of(session, steps.of_trace(id_)) is None
    assert worker.step() == 1
    got = found(store, id_)
    assert list(got.lanes) == list(steps.LANES)
    assert got.whole
    assert {len(lane) for lane in got.lanes.values()} == {4}
    others = {dot.passage_id for name in ("for", "words", "against") for dot in got.lanes[name]}
    assert not others & {dot.passage_id for dot in got.lanes["random"]}
    patch = TailPatch(load_model(settings.models / "demo"))
    query = Query("The currency of Ghana is the", " cedi")
    assert got.settings == patch.settings
    assert [got.before] == pytest.approx(patch.probabilities([query]))
    for lane in got.lanes.values():
        with store.session() as session:
            texts = [session.get_one(Passage, dot.passage_id).text for dot in lane]
        wanted = patch.measure(query, texts)
        assert [100 * (dot.after - got.before) for dot in lane if dot.after is not None] == pytest.approx(
            wanted, abs=1e-4
        )


def test_no_step_is_taken_twice(worker: Worker, store: Store, settings: Settings) -> None:
    """Another question with the same target, and a worker that died on the way, find what was taken."""
    first, second = ask(store, settings), ask(store, settings, QUESTION.model_copy(update={"k": 7}))
    while worker.step():
        pass
    with store.session() as session:
        taken = session.scalars(select(func.count()).select_from(StepTaken)).one()
        results = [jobs.of(session, id_, "steps")[0].result for id_ in (first, second)]
    dots = {
        dot.passage_id for id_ in (first, second) for lane in found(store, id_).lanes.values() for dot in lane
    }
    assert taken == len(dots)
    assert sum((result or {})["taken"] for result in results) == taken
    a, b = found(store, first).lanes["for"], found(store, second).lanes["for"]
    assert a == b


def test_a_question_goes_before_steps(worker: Worker, store: Store, settings: Settings) -> None:
    ask(store, settings)
    worker.step()
    later = ask(store, settings, Question(prompt="The", completion=" end"))
    with store.session() as session:
        assert jobs.place(session, jobs.find(session, later)) == 1


def test_cancelling_stops_the_steps_and_keeps_those_taken(
    worker: Worker, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = ask(store, settings)
    worker.step()
    with store.session() as session:
        (job,) = jobs.of(session, id_, "steps")
    advance, calls = leases.advance, []

    def meddling(session, ids, *rest):  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
        calls.append(rest)
        if len(calls) == 3:
            jobs.cancel(session, job.id)
        return advance(session, ids, *rest)

    monkeypatch.setattr(leases, "advance", meddling)
    worker.step()
    got = found(store, id_)
    taken = [dot.after is not None for lane in got.lanes.values() for dot in lane]
    assert any(taken)
    assert not all(taken)
    for lane in ("for", "words"):  # the first ten: what the page is about comes before its control
        assert all(dot.after is not None for dot in got.lanes[lane])
    assert not got.whole


def test_where_none_are_wanted_none_are_queued(store: Store, settings: Settings) -> None:
    off = settings.model_copy(update={"steps_per_lane": 0})
    with worker_of(off, store) as worker:
        ask(store, off)
        assert worker.step() == 1
        assert worker.step() == 0
