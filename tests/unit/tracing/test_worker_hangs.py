"""When a worker takes itself for hung: only where its work was given to others, not where it was over meanwhile."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import event

from app.store import jobs, leases
from app.store.engine import Store
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
