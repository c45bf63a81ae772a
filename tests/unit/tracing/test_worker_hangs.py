"""When a worker takes itself for hung: only where its work was given to others, not where it was over meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event, update

from app.errors import UserError
from app.store import base, jobs, leases
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.clock import SETTLES, Clock
from app.tracing.worker import Engine, Worker
from tests.support.queue import expire, put, take


def looked_after(store: Store, meanwhile: Callable[[str, str], object]) -> tuple[list[bool], str]:
    """Whether the worker gave up, where `meanwhile` happened between two looks at what it has in hand."""
    gave_up: list[bool] = []
    worker = Worker(store, cast(Engine, None), hung=lambda: gave_up.append(True))
    (id_,) = put(store)
    take(store, worker.name)
    happened: list[bool] = []

    def between(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT jobs.id") and not happened:
            happened.append(True)
            meanwhile(id_, worker.name)

    event.listen(store.engine, "after_cursor_execute", between)
    worker._recover()
    event.remove(store.engine, "after_cursor_execute", between)
    assert happened
    return gave_up, id_


def answer(store: Store, id_: str, worker: str) -> None:
    with store.session() as session:
        leases.finish(session, id_, worker)


def cancel(store: Store, id_: str, worker: str) -> None:
    with store.session() as session:
        jobs.cancel(session, id_)


@pytest.mark.parametrize("over", [answer, cancel])
def test_what_was_over_while_it_looked_is_no_hang(
    store: Store, over: Callable[[Store, str, str], None]
) -> None:
    """A healthy worker ended itself, with “No progress with …: given up”, whenever an answer fell between two queries."""
    gave_up, _ = looked_after(store, lambda id_, worker: over(store, id_, worker))
    assert gave_up == []


def test_a_question_without_progress_is_given_up(store: Store) -> None:
    gave_up, id_ = looked_after(store, lambda id_, worker: expire(store, id_))
    assert gave_up == [True]
    with store.session() as session:
        assert jobs.find(session, id_).state == "queued"


def test_a_question_that_takes_too_much_memory_fails_and_harms_no_other(store: Store) -> None:
    """It was taken for a busy database, and asked again every second for an hour."""

    class Small:
        """An engine for which one of the questions is too large."""

        def answer(self, asked: list[Job], report: object) -> list[UserError]:
            if any(job.request["prompt"] == "question 0" for job in asked):
                raise MemoryError
            return [UserError("It was answered.") for _ in asked]

    worker = Worker(store, cast(Engine, Small()))
    ids = put(store, 3)
    assert worker.step() == 3
    with store.session() as session:
        said = [(jobs.find(session, each).error or {})["message"] for each in ids]
    assert said == ["There was not memory enough to answer this.", "It was answered.", "It was answered."]


@pytest.mark.parametrize("noticed_by", ["the heart", "the work"])
def test_a_clock_set_forth_is_no_hang(store: Store, noticed_by: str) -> None:
    """A worker with a question in hand ended itself (exit 70) when the clock went an hour forth."""
    passed, leap, gave_up = [0.0], timedelta(), list[bool]()
    clock = Clock(lambda: datetime.fromtimestamp(passed[0], UTC) + leap, lambda: passed[0])
    worker = Worker(store, cast(Engine, None), hung=lambda: gave_up.append(True), clock=clock)
    (mine, others) = put(store, 2)
    assert take(store, worker.name, 1) == [mine]
    assert take(store, "elsewhere/1/x") == [others]
    with store.session() as session:
        past = base.now() - timedelta(seconds=1)
        session.execute(update(Job).values(deadline=past, lease_until=past))
        job = jobs.find(session, mine)
    leap = timedelta(hours=1)
    if noticed_by == "the work":
        assert worker._report([job], "encoding") == [True]
    worker._recover()
    assert gave_up == []
    with store.session() as session:
        assert {jobs.find(session, each).state for each in (mine, others)} == {"running"}
        assert leases.finish(session, mine, worker.name)
    passed[0] += SETTLES  # whoever has not renewed a lease by now is lost
    worker._recover()
    with store.session() as session:
        assert jobs.find(session, others).state == "queued"


def test_what_no_lease_suffers_from_is_no_leap() -> None:
    passed, ahead = 0.0, 0.0
    clock = Clock(lambda: datetime.fromtimestamp(passed + ahead, UTC), lambda: passed)
    for passed, ahead in [(1, 0), (60, 0), (61, 2), (62, 5), (63, -3600), (7200, -3600)]:  # noqa: B007  # seen by the clock
        assert not clock.leapt()
    ahead = 0
    assert clock.leapt()
