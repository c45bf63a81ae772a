"""Each condition of /readyz, one by one: what is wrong makes it 503, under its name, and nothing else does."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from app.store import workers
from app.store.base import now
from app.store.engine import Store
from app.store.models import register_model
from app.store.tokens import add as add_token
from app.store.work_tables import Job, WorkerRow
from tests.support.queue import put, take
from tests.support.sites import site, store_of

WORKER = "elsewhere/1/x"


def beat(session: Session, status: str = "ready", detail: str = "") -> None:
    workers.record_heartbeat(session, WORKER, device="cpu", status=status, detail=detail, loaded={})
    session.get_one(WorkerRow, WORKER).seen_at = now() + timedelta(
        minutes=5
    )  # fresh however slow the test is


def of_another_version(store: Store, home: Path) -> None:
    with store.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))


@pytest.fixture(autouse=True)
def _version_as_it_was(store: Store) -> Iterator[None]:
    with store.session() as session:
        version = session.scalar(text("SELECT version_num FROM alembic_version"))
    yield
    with store.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :as_it_was"), {"as_it_was": version})


def without_weights(store: Store, home: Path) -> None:
    with store.session() as session:
        register_model(session, "lost", path=str(home / "models" / "lost"))


def damaged(store: Store, home: Path) -> None:
    place = home / "indexes" / "torn"
    place.mkdir(parents=True)
    (place / "manifest.json").write_text("{")


def worker_is(status: str, detail: str = "") -> Callable[[Store, Path], None]:
    def put_so(store: Store, home: Path) -> None:
        with store.session() as session:
            beat(session, status, detail)

    return put_so


def gone(store: Store, home: Path) -> None:
    with store.session() as session:
        workers.leave(session, WORKER)


def silent(store: Store, home: Path) -> None:
    with store.session() as session:
        session.execute(update(WorkerRow).values(seen_at=now() - timedelta(minutes=1)))


def without_progress(store: Store, home: Path) -> None:
    (id_,) = put(store)
    take(store, WORKER)
    with store.session() as session:
        late = {"lease_until": now() - timedelta(seconds=1), "visibility": "private", "asker": "token:1"}
        session.execute(update(Job).where(Job.id == id_).values(late))


def full(store: Store, home: Path) -> None:
    put(store, 3)


def fine(store: Store, home: Path) -> None:
    """Nothing is wrong."""


CONDITIONS: dict[str, tuple[Callable[[Store, Path], None], str, str]] = {
    "well": (fine, "", ""),
    "another version": (of_another_version, "database", "startrail migrate"),
    "no weights": (without_weights, "model lost", "No weights at"),
    "a damaged index": (damaged, "index torn", "damaged"),
    "no worker": (gone, "worker", "No tracing worker runs"),
    "a worker that is silent": (silent, "worker", "No tracing worker runs"),
    "a worker that loads": (worker_is("loading"), "worker", "is loading"),
    "a worker that failed": (worker_is("failed", "no index"), "worker", "is failed: no index"),
    "no progress": (without_progress, "worker", "1 questions make no progress"),
    "no room in the queue": (full, "queue", "3 of 3 questions wait"),
    "a home that cannot be written to": (fine, "home", "cannot be written to"),
    "no room on the disk": (fine, "home", "1 MB left"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    spoil, name, words = CONDITIONS[condition]
    home = tmp_path / "home"
    home.mkdir()
    with store.session() as session:
        beat(session)
        secret = add_token(session, "keeper", ["admin"], expires_at=None)
    spoil(store, home)
    if condition.startswith("a home"):
        monkeypatch.setattr(os, "access", lambda *_: False)
    if condition.endswith("the disk"):
        few: Any = SimpleNamespace(free=1 << 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: few)
    with site(database_url, home, trace_queue_limit=3) as client:
        answer = client.get("/readyz.json")
        assert answer.status_code == (503 if name else 200)
        assert [each["name"] for each in answer.json()["checks"] if not each["ok"]] == (
            [name] if name else []
        )
        assert words not in answer.text or not words, (
            "whoever does not keep the site is told no more than the name"
        )
        if name != "database":  # where the database is of another version nobody is known
            inside = client.get("/readyz", headers={"Authorization": f"Bearer {secret}"}).text
            assert words in inside
        store_of(client).engine.dispose()
