"""The queue of questions, on both databases: who is next, what is full, what is cancelled and found again."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.errors import NotFound
from app.store import jobs, leases, traces, workers
from app.store.base import now
from app.store.commits import CommitListener
from app.store.engine import Store
from app.store.work_tables import WorkerRow
from tests.support.queue import put, status, take


def test_the_oldest_is_answered_first_and_everyone_knows_their_place(store: Store) -> None:
    ids = put(store, 3)
    with store.session() as session:
        assert [jobs.place(session, jobs.find(session, id_)) for id_ in ids] == [1, 2, 3]
        assert [jobs.states(session, ids)[id_][2] for id_ in ids] == [1, 2, 3]
    assert take(store, "a/1/x", limit=2) == ids[:2]
    with store.session() as session:
        assert jobs.place(session, jobs.find(session, ids[2])) == 1
        assert jobs.states(session, ids)[ids[0]] == ("running", "queued/1/0", 0)


def test_a_full_queue_refuses_and_says_when_to_come_back(store: Store) -> None:
    """Without a bound, a flood of questions would keep everybody waiting for ever."""
    put(store, 2, limit=2)
    with pytest.raises(jobs.QueueFull) as refused:
        put(store, limit=2)
    assert refused.value.status == 503
    assert 1 <= refused.value.retry_after <= 60
    take(store, "a/1/x", limit=1)
    put(store, limit=2)  # what runs does not wait


def test_what_nobody_waits_for_comes_last(store: Store) -> None:
    """Work made up by the site itself must not keep a person waiting, nor be counted before them."""
    with store.session() as session:
        later = jobs.add(session, "steps", {}, limit=9, priority=2).id
    (asked,) = put(store)
    with store.session() as session:
        assert jobs.place(session, jobs.find(session, asked)) == 1
        assert jobs.place(session, jobs.find(session, later)) == 2
    assert take(store, "a/1/x", limit=1) == [asked]


def test_cancelling_while_it_waits_and_while_it_runs(store: Store) -> None:
    waiting, running = put(store, 2)[::-1]
    assert take(store, "a/1/x", limit=1) == [running]
    with store.session() as session:
        assert jobs.cancel(session, waiting)
        assert jobs.cancel(session, running)
        assert leases.advance(session, [running], "a/1/x", "searching") == set()  # the worker learns it here
        assert not leases.finish(session, running, "a/1/x", {})
    assert take(store, "a/1/x") == []
    assert (status(store, waiting), status(store, running)) == ("cancelled", "cancelled")


def test_only_a_finished_answer_is_given_again(store: Store) -> None:
    """A failed or cancelled question deserves another try."""
    ids = put(store, 2)
    take(store, "a/1/x")
    with store.session() as session:
        leases.fail(session, ids[0], "a/1/x", {"message": "out of memory"})
        leases.finish(session, ids[1], "a/1/x", {"answer": 1})
    with store.session() as session:
        assert jobs.newest(session, "key 0", done=True) is None
        found = jobs.newest(session, "key 1", done=True)
        assert found is not None
        assert found.id == ids[1]


def test_what_was_done_for_a_trace_is_found_by_its_id(store: Store) -> None:
    """The page of a trace asks for it each time it is shown: that must be one look into an index."""
    with store.session() as session:
        made = [
            jobs.add(session, "steps", {}, parent=parent, limit=100).id
            for parent in ("abc", "abc", "abcd", "ab", "abc")
        ]
        jobs.add(session, "shade", {}, parent="abc", limit=100)
        jobs.cancel(session, made[-1])
    with store.session() as session:
        assert [job.id for job in jobs.of(session, "abc", "steps")] == made[:2]


def test_recent_are_the_questions_that_were_answered_newest_first(store: Store) -> None:
    """A question nobody answered is nothing to read."""
    ids = put(store, 4)
    with store.session() as session:
        for job in leases.claim(session, "a/1/x", 9):
            if job.id != ids[1] and leases.finish(session, job.id, "a/1/x"):
                traces.keep(session, job, {})
    with store.session() as session:
        assert [trace.id for trace in traces.recent(session, limit=2)] == [ids[3], ids[2]]
        assert [trace.id for trace in traces.recent(session, limit=9)] == [ids[3], ids[2], ids[0]]


@pytest.mark.parametrize("id_", ["nosuchtrace1", "", "../x", "a\x00b", "é", "x" * 500])
def test_an_unknown_id_is_simply_not_there(store: Store, id_: str) -> None:
    """PostgreSQL would refuse to be asked about a null byte."""
    with store.session() as session, pytest.raises(NotFound):
        jobs.find(session, id_)


def test_who_waits_hears_of_a_commit_at_once(store: Store) -> None:
    """The worker sleeps here; polling the table instead would cost either time or processor."""
    changes = CommitListener(store.engine)
    try:
        changes.wait(0.01)
        assert not changes.wait(0.05)
        threading.Timer(0.05, put, [store]).start()
        assert changes.wait(5)
        assert not changes.wait(0.05)
    finally:
        changes.close()


def test_workers_known_to_be_dead_are_not_waited_for(store: Store) -> None:
    """Of this host by their process; of another by their silence. A process that only held a job is known as well."""
    mine = workers.new_name()
    host, pid, _ = mine.split("/")
    gone, before_me, elsewhere = f"{host}/999999999/x", f"{host}/{pid}/older", "other-host/999999999/x"
    with store.session() as session:
        for name in (mine, before_me, elsewhere, f"{host}/1/init"):
            session.add(WorkerRow(id=name, device="cpu", status="ready"))
        jobs.add(session, "import", {}, limit=9, worker=gone)
    with store.session() as session:
        assert sorted(workers.dead(session, mine)) == sorted([gone, before_me])
        assert {worker.id for worker in workers.alive(session)} == {mine, elsewhere, f"{host}/1/init"}
        workers.leave(session, mine)
    with store.session() as session:
        session.execute(update(WorkerRow).values(seen_at=now() - timedelta(seconds=60)))
    with store.session() as session:
        assert workers.alive(session) == []
        assert elsewhere in workers.dead(session, mine)
