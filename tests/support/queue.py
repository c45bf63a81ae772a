"""Questions in the queue, put and taken as the site and its workers do."""

from datetime import timedelta

from sqlalchemy import update

from app.store import jobs, leases
from app.store.base import now
from app.store.engine import Store
from app.store.work_tables import Job


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
