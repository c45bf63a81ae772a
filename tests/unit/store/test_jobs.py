"""The queue of questions, on both databases: nothing is answered twice, lost, or changed once it is done."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.errors import NotFound
from app.store import jobs, leases, traces, workers
from app.store.base import now
from app.store.commits import CommitListener
from app.store.engine import Store
from app.store.job_kinds import KINDS, MAX_ATTEMPTS
from app.store.work_tables import Job, WorkerRow


def put(store: Store, count: int = 1, *, limit: int = 1000) -> list[str]:
    """Ids of new questions, oldest first."""
    ids = []
    for n in range(count):
        with store.session() as session:
            request = {"kind": "trace", "prompt": f"question {n}"}
            ids.append(jobs.add(session, "trace", request, key=f"key {n}", limit=limit).id)
    return ids


def take(store: Store, worker: str, limit: int = 10) -> list[str]:
    with store.session() as session:
        return [job.id for job in leases.claim(session, worker, limit)]


def status(store: Store, id_: str) -> str:
    with store.session() as session:
        return jobs.find(session, id_).state


def expire(store: Store, id_: str) -> None:
    with store.session() as session:
        ended = now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == id_).values(lease_until=ended))


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


def test_a_dead_workers_question_is_taken_again_alone(store: Store) -> None:
    """It may be the question that killed the worker: the ones answered with it must not suffer twice."""
    ids = put(store, 3)
    assert take(store, "a/1/x") == ids
    with store.session() as session:
        assert leases.recover(session) == (0, 0)  # the lease still holds
    for id_ in ids:
        expire(store, id_)
    with store.session() as session:
        assert leases.recover(session) == (3, 0)
    (fresh,) = put(store)
    assert [take(store, "b/1/x") for _ in range(4)] == [[ids[0]], [ids[1]], [ids[2]], [fresh]]


def test_a_worker_known_to_be_dead_need_not_run_out_its_lease(store: Store) -> None:
    ids = put(store, 2)
    take(store, "a/1/x", limit=1)
    take(store, "b/1/x", limit=1)
    with store.session() as session:
        assert leases.recover(session, ["a/1/x"]) == (1, 0)
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
        assert leases.recover(session) == (0, 0)
        assert jobs.states(session, [id_])[id_][1] == "encoding/1/3", "who watches hears of each step"


def test_a_sign_of_life_without_progress_does_not_keep_it(store: Store) -> None:
    """A worker that hangs still beats; its question must not hang with it."""
    (id_,) = put(store)
    take(store, "a/1/x")
    expire(store, id_)
    with store.session() as session:
        workers.record_heartbeat(session, "a/1/x", device="cpu", status="ready", detail="", loaded={})
    with store.session() as session:
        assert leases.recover(session) == (1, 0)
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
        assert leases.recover(session) == (0, 1)
    with store.session() as session:
        failed = jobs.find(session, id_, [kind])
        assert failed.state == "failed"
        assert "not done after" in (failed.error or {})["message"]


def test_what_nobody_waits_for_comes_last(store: Store) -> None:
    """Work made up by the site itself must not keep a person waiting, nor be counted before them."""
    with store.session() as session:
        later = jobs.add(session, "steps", {}, limit=9, priority=2).id
    (asked,) = put(store)
    with store.session() as session:
        assert jobs.place(session, jobs.find(session, asked)) == 1
        assert jobs.place(session, jobs.find(session, later)) == 2
    assert take(store, "a/1/x", limit=1) == [asked]


def test_work_for_one_process_is_taken_by_no_other(store: Store) -> None:
    """Only the process that took a file in has it. Without that process nobody ever will: that is said."""
    with store.session() as session:
        id_ = jobs.add(session, "import", {}, limit=9, worker="a/1/x").id
        assert leases.claim(session, "b/1/x", 1, ["import"]) == []
        assert leases.recover(session, ["b/1/x"]) == (0, 0)
        assert leases.recover(session, ["a/1/x"]) == (0, 1)
    with store.session() as session:
        assert "again" in (jobs.find(session, id_, ["import"]).error or {})["remedy"]


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


def test_a_worker_that_stops_in_good_order_gives_back_what_it_holds(store: Store) -> None:
    """A restart for an update is no failed attempt."""
    (id_,) = put(store)
    take(store, "a/1/x")
    with store.session() as session:
        leases.release(session, "a/1/x")
        job = jobs.find(session, id_)
        assert (job.state, job.attempts) == ("queued", 0)


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
