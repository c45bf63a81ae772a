"""A training takes long: whoever asks meanwhile is answered first, and a worker that is told to end ends."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from app.store import jobs, leases
from app.store.engine import Store
from app.store.work_tables import Job
from app.tracing.without import KIND
from app.tracing.worker import Cancelled, Engine, Outcome, Report, Worker
from tests.support.queue import put, status


def training(store: Store) -> str:
    with store.session() as session:
        return jobs.add(session, KIND, {"kind": KIND}, limit=10).id


class Trains:
    """An engine whose trainings take three reports; before the second, `meanwhile` happens."""

    def __init__(self) -> None:
        self.meanwhile: Any = lambda: None
        self.done: list[str] = []

    def follow(self, session: object, job: Job) -> None:
        """Nothing follows."""

    def answer(self, asked: Sequence[Job], report: Report) -> list[Outcome]:
        for step in range(3) if asked[0].kind == KIND else ():
            if step == 1:
                self.meanwhile()
            if not all(report(asked, "retraining", step, 3)):
                return [Cancelled() for _ in asked]
        self.done += [job.id for job in asked]
        return [{"answer": job.id} for job in asked]


@pytest.fixture
def trains() -> Trains:
    return Trains()


@pytest.fixture
def worker(store: Store, trains: Trains) -> Worker:
    return Worker(store, cast(Engine, trains))


def test_a_question_asked_meanwhile_is_answered_first(store: Store, trains: Trains, worker: Worker) -> None:
    own = training(store)
    asked: list[str] = []
    trains.meanwhile = lambda: asked.extend(put(store, 2))
    assert worker.step() == 1
    assert trains.done == [*asked, own]
    assert {status(store, id_) for id_ in asked} == {"done"}


def test_questions_come_before_a_training(store: Store, trains: Trains, worker: Worker) -> None:
    own = training(store)
    asked = put(store, 1)
    assert [worker.step(), worker.step(), worker.step()] == [1, 1, 0]
    assert trains.done == [*asked, own]


def test_a_worker_that_is_told_to_end_leaves_the_training_to_the_next(
    store: Store, trains: Trains, worker: Worker
) -> None:
    own = training(store)
    trains.meanwhile = worker.stopping.set
    worker.step()
    with store.session() as session:
        leases.release(session, worker.name)  # as `close` does
        assert jobs.find(session, own, (KIND,)).state == "queued"
    assert trains.done == []


def test_a_training_that_is_cancelled_ends(store: Store, trains: Trains, worker: Worker) -> None:
    own = training(store)

    def cancel() -> None:
        with store.session() as session:
            jobs.cancel(session, own)

    trains.meanwhile = cancel
    worker.step()
    with store.session() as session:
        assert jobs.find(session, own, (KIND,)).state == "cancelled"
    assert trains.done == []
