"""Trouble is a state: nothing accepted is lost, no process ends, every answer meanwhile is 200 or 503, and it is said once."""

import logging
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select

from app.store import jobs
from app.store.engine import Store, open_store
from app.store.work_tables import Job, Trace
from app.tracing.worker import Worker
from tests.support.asking import made_home, put_corpus, settings_of, worker_of
from tests.support.databases import find_programs, postgresql, unprivileged
from tests.support.sites import site, store_of

pytestmark = pytest.mark.slow


@contextmanager
def at_work(store: Store, url: str) -> Iterator[tuple[TestClient, Worker, threading.Thread]]:
    """A site, and a worker that runs in a thread until the block ends."""
    put_corpus(store)
    with worker_of(settings_of(made_home(), url), store) as worker, site(url, made_home()) as client:
        thread = threading.Thread(target=_run, args=(worker,))
        thread.start()
        try:
            yield client, worker, thread
        finally:
            worker.stopping.set()
            thread.join(30)
            store_of(client).engine.dispose()


def _run(worker: Worker) -> None:
    """The worker's loop, as `run` has it after opening."""
    while not worker.stopping.is_set():
        try:
            worker._work()
        except Exception as error:
            if not worker._told.trouble(error):
                raise
            worker.stopping.wait(0.1)


def ask(client: TestClient, accepted: list[str], answers: Counter[int], numbers: range) -> None:
    for n in numbers:
        answer = client.post("/api/traces", json={"prompt": f"Number {n} is"})
        answers[answer.status_code] += 1
        if answer.status_code == 202:
            accepted.append(answer.json()["id"])
        else:
            assert "retry-after" in answer.headers, answer.text
        answers[client.get("/runs.json").status_code] += 1


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def all_done(store: Store, accepted: list[str]) -> bool:
    with store.session() as session:
        states = set(session.scalars(select(Job.state).where(Job.id.in_(accepted))))
        traces = set(session.scalars(select(Trace.id)))
    return states == {"done"} and set(accepted) <= traces


def hasty(store: Store) -> None:
    """What waits 15 s for a locked database gives up at once, so that the test need not wait for it."""
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
    store.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_locked_database(store: Store, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """An import of more than 15 s ended the worker."""
    caplog.set_level(logging.WARNING)
    accepted: list[str] = []
    answers: Counter[int] = Counter()
    hasty(store)
    with at_work(store, database_url) as (client, _, thread):
        hasty(store_of(client))
        ask(client, accepted, answers, range(3))
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            ask(client, accepted, answers, range(3, 8))
            time.sleep(0.5)
            assert thread.is_alive()
            other.rollback()
        ask(client, accepted, answers, range(8, 10))
        until(lambda: all_done(store, accepted))
    assert set(answers) == {200, 202, 503}
    assert len(accepted) == 5
    said = [record.getMessage() for record in caplog.records if "waits" in record.getMessage()]
    assert len(said) <= 3, said  # the site, the worker and its heart


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_and_one_that_is_read_only_still_show_what_is_there(
    store: Store, database_url: str
) -> None:
    put_corpus(store)
    with site(database_url, made_home()) as client:
        engine = store_of(client).engine
        for pragma, undo, said in [
            ("PRAGMA query_only=ON", "PRAGMA query_only=OFF", "Nothing can be saved here now"),
            ("PRAGMA max_page_count=1", "PRAGMA max_page_count=1073741823", "The disk is full"),
        ]:
            engine.dispose()

            def limit(connection: Any, _: Any, pragma: str = pragma) -> None:
                connection.execute(pragma)

            event.listen(engine, "connect", limit)
            tried = (client.post("/api/traces", json={"prompt": f"Ghana {n}"}) for n in range(80))
            refused = next(answer for answer in tried if answer.status_code != 202)
            event.remove(engine, "connect", limit)
            assert (refused.status_code, said in refused.text) == (503, True), refused.text
            assert refused.headers["retry-after"]
            assert client.get("/corpora/demo").status_code == 200
            with engine.connect() as connection:
                connection.exec_driver_sql(undo)
            engine.dispose()
        assert client.post("/api/traces", json={"prompt": "Ghana"}).status_code == 202
        engine.dispose()


def test_postgresql_restarts_at_once_under_load() -> None:
    """A restart ended the worker process, and pages were 500."""
    accepted: list[str] = []
    answers: Counter[int] = Counter()
    with (
        postgresql(durable=True) as server,
        restarting(server.directory) as restart,
        server.migrated() as url,
    ):
        store = open_store(url)
        with at_work(store, url) as (client, _, thread):
            for n in range(2):
                ask(client, accepted, answers, range(10 * n, 10 * n + 4))
                restart()
                ask(client, accepted, answers, range(10 * n + 4, 10 * n + 8))
                assert thread.is_alive()
            until(lambda: all_done(store, accepted))
        store.engine.dispose()
        assert set(answers) <= {200, 202, 503}
        assert len(accepted) >= 8
        with store.session() as session:
            assert not session.scalars(select(Job.id).where(Job.state.not_in(jobs.OVER))).all()
        store.engine.dispose()


@contextmanager
def restarting(directory: Path) -> Iterator[Callable[[], None]]:
    """A way to restart the server as after a crash; what was started is stopped in the end."""
    identity: dict[str, Any] = unprivileged()
    control = [str(find_programs() / "pg_ctl"), "-D", str(directory / "data"), "-w"]
    options = f"-k {directory} -c listen_addresses= -c max_connections=60 -c shared_buffers=32MB"

    def run(*words: str) -> None:
        log = directory / "again.log"
        with Path(os.devnull).open("w") as nothing:
            subprocess.run(
                [*control, *words, "-l", str(log)],
                check=True,
                stdout=nothing,
                stderr=nothing,
                cwd=directory,
                **identity,
            )

    try:
        yield lambda: run("restart", "-m", "immediate", "-o", options)
    finally:
        run("stop", "-m", "immediate")
        shutil.rmtree(directory / "again.log", ignore_errors=True)
