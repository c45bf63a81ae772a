"""Work in hand, on both databases: nothing is answered twice, lost, or changed once it is done."""

import threading
from collections.abc import Collection
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.store import jobs, leases, workers
from app.store.base import now
from app.store.engine import Store
from app.store.job_kinds import KINDS, MAX_ATTEMPTS
from app.store.work_tables import Job
from tests.support.queue import expire, put, status, take


def test_many_workers_never_take_the_same_question(store: Store) -> None:
    """The claim is one statement; with reading and then writing, two workers would answer the same one."""
    ids = put(store, 60)
    taken: list[str] = []
    start = threading.Barrier(6)

    def work(name: str) -> None:
        start.wait()
        while got := take(store, name, limit=3):
            taken.extend(got)  # list.extend is atomic

    threads = [threading.Thread(target=work, args=(f"host/{n}/x",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(ids)


def test_a_dead_workers_question_is_taken_again_alone(store: Store) -> None:
    """It may be the question that killed the worker: the ones answered with it must not suffer twice."""
    ids = put(store, 3)
    assert take(store, "a/1/x") == ids
    with store.session() as session:
        assert recovered(session) == (0, 0)  # the lease still holds
    for id_ in ids:
        expire(store, id_)
    with store.session() as session:
        assert recovered(session) == (3, 0)
    (fresh,) = put(store)
    assert [take(store, "b/1/x") for _ in range(4)] == [[ids[0]], [ids[1]], [ids[2]], [fresh]]


def recovered(session: Session, dead: Collection[str] = ()) -> tuple[int, int]:
    """How many wait again, and how many failed."""
    found = leases.recover(session, dead)
    return len(found.again), len(found.failed)


def test_a_worker_known_to_be_dead_need_not_run_out_its_lease(store: Store) -> None:
    ids = put(store, 2)
    take(store, "a/1/x", limit=1)
    take(store, "b/1/x", limit=1)
    with store.session() as session:
        assert recovered(session, ["a/1/x"]) == (1, 0)
    assert [status(store, id_) for id_ in ids] == ["queued", "running"]


def test_a_question_that_kills_every_worker_fails_with_a_reason(store: Store) -> None:
    """Otherwise it would be taken again for ever, and the page would wait for ever."""
    (id_,) = put(store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert take(store, f"a/{attempt}/x") == [id_]
        expire(store, id_)
        with store.session() as session:
            leases.recover(session)
    assert take(store, "b/1/x") == []
    with store.session() as session:
        job = jobs.find(session, id_)
        assert job.state == "failed"
        assert "died or hung 3 times" in (job.error or {})["message"]


def test_a_worker_that_lost_its_lease_cannot_write(store: Store) -> None:
    """It was only slow, not dead; by now somebody else answers, and two answers would be one too many."""
    (id_,) = put(store)
    take(store, "slow/1/x")
    expire(store, id_)
    with store.session() as session:
        leases.recover(session)
    take(store, "quick/1/x")
    with store.session() as session:
        assert leases.advance(session, [id_], "slow/1/x", "encoding") == set()
        assert not leases.finish(session, id_, "slow/1/x", {"answer": "slow"})
        assert leases.finish(session, id_, "quick/1/x", {"answer": "quick"})
        assert not leases.fail(session, id_, "quick/1/x", {"message": "too late"})
        assert not jobs.cancel(session, id_)
    with store.session() as session:
        job = jobs.find(session, id_)
        assert (job.state, job.result, job.error) == ("done", {"answer": "quick"}, None)


def test_progress_keeps_the_lease_of_long_work(store: Store) -> None:
    (id_,) = put(store)
    take(store, "a/1/x")
    expire(store, id_)
    with store.session() as session:
        assert leases.advance(session, [id_], "a/1/x", "encoding", 3, 10) == {id_}
        assert recovered(session) == (0, 0)
        assert jobs.states(session, [id_])[id_][1] == "encoding/1/3", "who watches hears of each step"


def test_a_sign_of_life_without_progress_does_not_keep_it(store: Store) -> None:
    """A worker that hangs still beats; its question must not hang with it."""
    (id_,) = put(store)
    take(store, "a/1/x")
    expire(store, id_)
    with store.session() as session:
        workers.record_heartbeat(session, "a/1/x", device="cpu", status="ready", detail="", loaded={})
    with store.session() as session:
        assert recovered(session) == (1, 0)
    assert take(store, "b/1/x") == [id_]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_deadline_that_progress_does_not_move(store: Store, kind: str) -> None:
    with store.session() as session:
        id_ = jobs.add(session, kind, {}, limit=9).id
        (job,) = leases.claim(session, "a/1/x", 1, [kind])
        assert job.deadline is not None
        assert leases.advance(session, [id_], "a/1/x", "encoding") == {id_}
    with store.session() as session:
        session.execute(update(Job).where(Job.id == id_).values(deadline=now() - timedelta(seconds=1)))
    with store.session() as session:
        assert leases.advance(session, [id_], "a/1/x", "encoding") == set(), "the worker learns it here"
        assert recovered(session) == (0, 1)
    with store.session() as session:
        failed = jobs.find(session, id_, [kind])
        assert failed.state == "failed"
        assert "not done after" in (failed.error or {})["message"]


def test_a_clock_set_forth_or_a_machine_that_was_away_loses_no_question(store: Store) -> None:
    """An hour forth failed the question that was in hand: "not done after 1 hour", a second after it was asked."""
    (id_,) = put(store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert take(store, f"a/{attempt}/x") == [id_]
        with store.session() as session:
            past = now() - timedelta(seconds=1)
            session.execute(update(Job).where(Job.id == id_).values(deadline=past, lease_until=past))
        with store.session() as session:
            again = attempt < MAX_ATTEMPTS
            assert recovered(session) == (again, not again), "not for ever either"
            if again:
                assert jobs.find(session, id_).deadline is None, "the next attempt has its own"


def test_work_for_one_process_is_taken_by_no_other(store: Store) -> None:
    """Only the process that took a file in has it. Without that process nobody ever will: that is said."""
    with store.session() as session:
        id_ = jobs.add(session, "import", {}, limit=9, worker="a/1/x").id
        assert leases.claim(session, "b/1/x", 1, ["import"]) == []
        assert recovered(session, ["b/1/x"]) == (0, 0)
        assert recovered(session, ["a/1/x"]) == (0, 1)
    with store.session() as session:
        assert "again" in (jobs.find(session, id_, ["import"]).error or {})["remedy"]


def test_a_worker_that_stops_in_good_order_gives_back_what_it_holds(store: Store) -> None:
    """A restart for an update is no failed attempt."""
    (id_,) = put(store)
    take(store, "a/1/x")
    with store.session() as session:
        leases.release(session, "a/1/x")
        job = jobs.find(session, id_)
        assert (job.state, job.attempts) == ("queued", 0)
