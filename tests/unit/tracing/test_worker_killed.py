"""Workers killed at any moment under load: no accepted question is lost, none is half answered, pages say why."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.store import jobs, leases, workers
from app.store.engine import Store
from app.store.job_kinds import MAX_ATTEMPTS
from app.store.tables import Passage
from app.store.work_tables import Job, Trace
from app.tracing.trace_results import TraceResult, TrainingResult
from tests.support.asking import made_home, put_corpus
from tests.support.mortal import worker_process
from tests.support.sites import site

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("STARTRAIL_KILLS", 4))  # `make test-long` kills twenty times
MAY_WAIT = 30
LONG = {"prompt": "The oldest lighthouse of Ghana is", "samples": 20, "k": 100, "opponents": True}
PLACES = ["Ghana", "Mali", "Chile", "Norway", "Kenya", "Peru", "Togo"]


def question(n: int) -> dict[str, object]:
    """The `n`-th question; all differ, and all that can be asked is among them."""
    prompt = f"Number {n} of {PLACES[n % len(PLACES)]} is"
    return [
        {"prompt": prompt, "completion": "old and long", "k": 5},
        {"prompt": prompt, "samples": 4},
        {"prompt": prompt, "completion": "green", "contrast": "red", "opponents": True},
    ][n % 3]


@contextmanager
def asking_all_the_while(client: TestClient) -> Iterator[list[str]]:
    """Questions and trainings put as fast as they are taken while the block lasts; the ids of those accepted."""
    accepted: list[str] = []
    strange: list[str] = []
    over = threading.Event()

    def ask() -> None:
        for n in count():
            answer = client.post("/api/traces", json=question(n))
            if n % 4 == 3 and accepted:
                trained = client.post(f"/api/traces/{accepted[0]}/steps", json={"control": n % 7})
                if trained.status_code == 202:
                    accepted.append(trained.json()["id"])
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            elif answer.status_code != 503 or "retry-after" not in answer.headers:
                strange.append(answer.text)
            if over.wait(0.02):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield accepted
    finally:
        over.set()
        thread.join()
    assert not strange


def until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 180
    while not true():
        assert time.monotonic() < ends, f"waited for {what}"
        time.sleep(0.001)


def in_hand(store: Store, pid: int | None) -> bool:
    """Whether the worker of this process is answering something."""
    with store.session() as session:
        mine = Job.worker.contains(f"/{pid}/")
        return bool(session.scalar(select(Job.id).where(Job.state == "running", mine).limit(1)))


def waiting(store: Store) -> int:
    with store.session() as session:
        return session.scalars(select(func.count()).where(Job.state.not_in(jobs.OVER))).one()


def page_of(client: TestClient, id_: str) -> BeautifulSoup:
    return BeautifulSoup(client.get(f"/traces/{id_}").text, "html.parser")


def check_whole(job: Job, answers: dict[str, Trace], passages: set[int]) -> None:
    """Everything that was asked for is in the answer."""
    asked = job.request
    if job.kind == "steps":
        training = TrainingResult.model_validate(job.result)
        assert [step.passage_id for step in training.steps] == asked["passages"]
        assert len(training.control) == asked["control"]
        return
    assert job.result is None
    assert answers[job.id].request == asked
    result = TraceResult.model_validate(answers[job.id].result)
    assert result.completion.tokens
    assert len(result.samples) == asked["samples"]
    assert len(result.sides) == (2 if asked["contrast"] else 0)
    assert {"trackstar", "bm25"} <= set(result.rankings)
    proponents, opponents = result.rankings["trackstar"].proponents, result.rankings["trackstar"].opponents
    assert [hit.rank for hit in proponents] == list(range(1, asked["k"] + 1))
    assert len(opponents) == (asked["k"] if asked["opponents"] else 0)
    assert {hit.passage_id for hit in [*proponents, *opponents]} <= passages


def test_killed_workers_lose_no_question_and_leave_none_half_answered(
    store: Store, database_url: str
) -> None:
    """Killed while they load, and at random moments while they answer; the questions come all the while."""
    put_corpus(store)
    home, moment, busy = made_home(), random.Random(6), 0
    with (
        site(database_url, home, trace_queue_limit=MAY_WAIT) as client,
        asking_all_the_while(client) as accepted,
    ):
        for kill in range(KILLS):
            with worker_process(home, database_url) as process:
                if kill % 3 == 2:
                    time.sleep(moment.uniform(0, 0.5))
                else:
                    until(partial(in_hand, store, process.pid), "a worker to take a question")
                    time.sleep(moment.uniform(0, 0.1))
                    busy += in_hand(store, process.pid)
    assert busy, "some died with questions in hand"
    with worker_process(home, database_url):
        until(lambda: not waiting(store), "the last worker to answer what the dead have left")
    with store.session() as session:
        passages = set(session.scalars(select(Passage.id)))
        found = {job.id: job for job in session.scalars(select(Job))}
        answers = {trace.id: trace for trace in session.scalars(select(Trace))}
    assert set(found) == set(accepted), "every accepted question, and nothing else"
    ended = Counter(job.state for job in found.values())
    assert set(ended) <= {"done", "failed"}
    for job in found.values():
        assert job.finished_at
        assert job.lease_until is None
        if job.state == "done":
            assert job.error is None
            check_whole(job, answers, passages)
        else:
            assert job.result is None
            assert job.id not in answers
            assert job.error
            assert f"died or hung {MAX_ATTEMPTS} times" in job.error["message"]
            assert job.attempts == MAX_ATTEMPTS
    again = [
        job for job in found.values() if job.state == "done" and job.attempts > 1 and job.kind == "trace"
    ]
    assert again, "some were taken up again"
    with site(database_url, home) as client:
        assert "the worker before died" in page_of(client, again[0].id).find("dl", class_="record").text


def test_the_page_of_a_question_whose_workers_die_says_so(store: Store, database_url: str) -> None:
    """It is tried again, each time by itself; the third death in a row is the question's fault."""
    put_corpus(store)
    home = made_home()
    with site(database_url, home) as client:
        id_ = client.post("/api/traces", json=LONG).json()["id"]
        for death in range(1, MAX_ATTEMPTS + 1):
            with worker_process(home, database_url) as process:
                until(partial(in_hand, store, process.pid), "the worker to take the question")
            with store.session() as session:  # as any other worker does with each sign of life
                found = leases.recover(session, workers.dead(session, workers.new_name()))
            assert len(found.again | found.failed) == 1
            if death < MAX_ATTEMPTS:
                said = " ".join(page_of(client, id_).find("p", class_="notice").text.split())
                assert "The worker that answered this died." in said
                assert f"attempt {death + 1}" in said
        failed_page = page_of(client, id_).find(role="alert")
        assert f"died or hung {MAX_ATTEMPTS} times" in failed_page.text
        assert failed_page.find("a", string="Edit and ask again")
        assert client.get(f"/traces/{id_}.json").json()["error"]["remedy"]
