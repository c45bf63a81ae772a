"""The queue of everything that takes time: traces, steps, shadings, imports.

A job is `queued`, then `running` under a lease that its progress renews, then `done`, `failed` or `cancelled`. Every
move is one conditional UPDATE, so that what is over never changes. Here jobs are put, found and taken back; what a
worker does with them is in `leases`.
"""

import math
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, and_, func, insert, literal, select, tuple_, update
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store.base import now
from app.store.changed import changed
from app.store.commits import announce
from app.store.job_kinds import TRACING
from app.store.readers import EVERYTHING, PUBLIC, READER
from app.store.work_tables import Job

SHARED_BY = 4  # clients at least, that a full queue is shared by
OVER = ("done", "failed", "cancelled")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no characters that are misread


class QueueFull(UserError):
    """As many jobs of a kind wait as may wait (HTTP 503), or as one client may have waiting (429); `retry_after` is in
    seconds."""

    def __init__(self, message: str, retry_after: int, status: int = 503) -> None:
        super().__init__(message, remedy=f"Ask again in {retry_after} seconds.", status=status)
        self.retry_after = retry_after


def utc(moment: datetime) -> datetime:
    """A time as stored, with its zone: SQLite forgets that it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def new_id() -> str:
    """A name for a job that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def add(
    session: Session,
    kind: str,
    request: dict[str, Any],
    *,
    limit: int,
    key: str = "",
    parent: str | None = None,
    priority: int = 0,
    worker: str | None = None,
    id_: str = "",
    visibility: str = PUBLIC,
) -> Job:
    """Queue a job under a new id, in the name of whoever asks now (`app.store.readers`).

    Args:
        limit: how many of its kind and priority may wait; counted and inserted in one statement.
        key: equal for jobs that have the same outcome.
        parent: what it is done for.
        worker: who alone can do it.
        visibility: of the trace that it makes.

    Raises:
        QueueFull: `limit` jobs wait already, or as many of one client's as one may have waiting.
    """
    id_, reader = id_ or new_id(), READER.get()
    alike = and_(Job.state == "queued", Job.kind == kind, Job.priority == priority)
    waiting = select(func.count()).where(alike).scalar_subquery()
    share = (reader.share or None) if reader else None
    own = select(func.count(), func.max(Job.turn)).where(alike, Job.share == share)
    mine, last = session.execute(own, execution_options=EVERYTHING).one() if share else (0, None)
    if mine >= max(1, limit // SHARED_BY):
        raise QueueFull(
            f"{mine} of your questions are waiting already.", _seconds_until_room(session, kind, limit), 429
        )
    values = {
        Job.id: literal(id_),
        Job.kind: literal(kind),
        Job.parent: literal(parent, Job.parent.type),
        Job.key: literal(key),
        Job.priority: literal(priority),
        Job.state: literal("queued"),
        Job.stage: literal("queued"),
        Job.done: literal(0),
        Job.request: literal(request, JSON()),
        Job.worker: literal(worker, Job.worker.type),
        Job.attempts: literal(0),
        Job.asker: literal(reader.asker or None if reader else None, Job.asker.type),
        Job.visibility: literal(visibility),
        Job.share: literal(share, Job.share.type),
        Job.turn: literal(0 if last is None else last + 1),
        Job.request_id: literal(reader.request or None if reader else None, Job.request_id.type),
        Job.created_at: literal(now(), Job.created_at.type),
    }
    row = select(*list[Any](values.values())).where(waiting < limit)
    added = session.execute(insert(Job).from_select(list(values), row).returning(Job.id)).scalar()
    if added is None:
        what = "files are being imported" if kind == "import" else "questions are waiting"
        raise QueueFull(f"{limit} {what} already.", _seconds_until_room(session, kind, limit))
    announce(session)
    return session.get_one(Job, id_)


def find(session: Session, id_: str, kinds: Collection[str] = TRACING) -> Job:
    """The job of this id, as it is now, if it is of one of these kinds.

    Raises:
        NotFound: there is none.
    """
    job = session.get(Job, id_, populate_existing=True) if id_.isalnum() and id_.isascii() else None
    if job is None or job.kind not in kinds:
        raise NotFound(f"There is no trace “{id_}”.", remedy="Ask a question at /trace.")
    return job


def newest(session: Session, key: str, *, done: bool) -> Job | None:
    """The newest job of this key: of those `done`, or of all."""
    query = select(Job).where(Job.key == key).order_by(Job.created_at.desc(), Job.id.desc()).limit(1)
    return session.scalar(query.where(Job.state == "done") if done else query.where(Job.state != "cancelled"))


def of(session: Session, parent: str, kind: str) -> list[Job]:
    """The jobs done for `parent`, oldest first, without those cancelled."""
    wanted = and_(Job.parent == parent, Job.kind == kind, Job.state != "cancelled")
    return list(session.scalars(select(Job).where(wanted).order_by(Job.created_at, Job.id)))


TURN = (Job.priority, Job.turn, Job.created_at, Job.id)


def place(session: Session, job: Job) -> int:
    """1 for the next that a tracing worker takes; 0 if it does not wait."""
    return states(session, [job.id])[job.id][2]


def states(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """(state, stage with attempt and progress, place) of several jobs at once: what a watcher needs. One query."""
    other = select(*TURN).where(Job.state == "queued", Job.kind.in_(TRACING)).subquery()
    columns = (other.c.priority, other.c.turn, other.c.created_at, other.c.id)
    ahead = select(func.count()).select_from(other).where(tuple_(*columns) <= tuple_(*TURN)).scalar_subquery()
    rows = session.execute(
        select(Job.id, Job.state, Job.stage, Job.attempts, Job.done, ahead).where(Job.id.in_(ids)),
        execution_options=EVERYTHING,  # a place in the queue counts those whose questions are not shown
    )
    return {
        id_: (state, f"{stage}/{attempts}/{done}", waiting if state == "queued" else 0)
        for id_, state, stage, attempts, done, waiting in rows
    }


def cancel(session: Session, id_: str) -> bool:
    """Take it back; False if it was over already.

    Raises:
        UserError: somebody else asked for it (HTTP 403).
    """
    reader = READER.get()
    asked_by = session.scalar(select(Job.asker).where(Job.id == id_))
    if reader is not None and asked_by not in (None, reader.asker) and not reader.may("admin"):
        raise UserError(
            "Somebody else asked for this.", remedy="Only who asked can take it back.", status=403
        )
    ended = session.execute(
        update(Job)
        .where(Job.id == id_, Job.state.in_(("queued", "running")))
        .values(state="cancelled", stage="cancelled", lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    announce(session)
    return changed(ended) > 0


def _seconds_until_room(session: Session, kind: str, limit: int) -> int:
    """How long half of a full queue takes at the speed of the last minute, between 1 and 60 seconds."""
    lately = and_(Job.kind == kind, Job.state == "done", Job.finished_at > now() - timedelta(seconds=60))
    finished = session.scalars(select(func.count()).where(lately)).one()
    return min(60, max(1, math.ceil(limit / 2 / (finished / 60)))) if finished else 30
