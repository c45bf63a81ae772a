"""Questions about traces, and the queue of those that wait.

A trace's row is its job: `queued`, then `running` under a lease that its worker renews, then `done`,
`failed` or `cancelled`. Every step is one conditional UPDATE, so that two workers never answer one job, a
worker that lost its lease cannot write, and what is done never changes.
"""

import math
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, and_, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store.changes import announce
from app.store.tables import Trace, now

OVER = ("done", "failed", "cancelled")
MAX_ATTEMPTS = 3
LEASE = timedelta(seconds=20)
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no characters that are misread


class QueueFull(UserError):
    """As many questions wait as may wait (HTTP 503); `retry_after` is in seconds."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__(
            f"{limit} questions are waiting already.",
            remedy=f"Ask again in {retry_after} seconds.",
            status=503,
        )
        self.retry_after = retry_after


def utc(moment: datetime) -> datetime:
    """A time as stored, with its zone: SQLite forgets that it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def add(session: Session, request: dict[str, Any], key: str, *, limit: int) -> Trace:
    """Queue a question under a new id.

    Args:
        key: equal for questions that have the same answer.
        limit: how many may wait; counted and inserted in one statement.

    Raises:
        QueueFull: `limit` questions wait already.
    """
    id_ = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    waiting = select(func.count()).where(Trace.status == "queued").scalar_subquery()
    values = {
        Trace.id: literal(id_),
        Trace.status: literal("queued"),
        Trace.stage: literal("queued"),
        Trace.request: literal(request, JSON()),
        Trace.request_key: literal(key),
        Trace.attempts: literal(0),
        Trace.created_at: literal(now(), Trace.created_at.type),
    }
    row = select(*list[Any](values.values())).where(waiting < limit)
    added = session.execute(insert(Trace).from_select(list(values), row).returning(Trace.id)).scalar()
    if added is None:
        raise QueueFull(limit, _seconds_until_room(session, limit))
    announce(session)
    return session.get_one(Trace, id_)


def find(session: Session, id_: str) -> Trace:
    """The trace of this id, as it is now.

    Raises:
        NotFound: there is none.
    """
    trace = session.get(Trace, id_, populate_existing=True) if id_.isalnum() and id_.isascii() else None
    if trace is None:
        raise NotFound(f"There is no trace “{id_}”.", remedy="Ask a question at /trace.")
    return trace


def answered(session: Session, key: str) -> Trace | None:
    """The newest finished trace of an equal question."""
    return session.scalar(
        select(Trace)
        .where(Trace.request_key == key, Trace.status == "done")
        .order_by(Trace.created_at.desc())
        .limit(1)
    )


def below(session: Session, prefix: str) -> list[Trace]:
    """Traces whose key is `prefix` and hexadecimal digits, oldest first, without those cancelled.

    The range is what the index can use, in any collation; the prefix is what decides.
    """
    return list(
        session.scalars(
            select(Trace)
            .where(
                Trace.request_key >= prefix,
                Trace.request_key < prefix + "g",
                Trace.request_key.startswith(prefix, autoescape=True),
                Trace.status != "cancelled",
            )
            .order_by(Trace.created_at, Trace.id)
        )
    )


def place(session: Session, trace: Trace) -> int:
    """1 for the next to be answered; 0 if it does not wait."""
    if trace.status != "queued":
        return 0
    before = or_(
        Trace.created_at < trace.created_at,
        and_(Trace.created_at == trace.created_at, Trace.id < trace.id),
    )
    return 1 + session.scalars(select(func.count()).where(Trace.status == "queued", before)).one()


def recent(session: Session, *, limit: int) -> list[Trace]:
    """The questions answered last, newest first."""
    return list(
        session.scalars(
            select(Trace)
            .where(
                Trace.status == "done",
                Trace.request_key.not_like("train:%"),
                Trace.request_key.not_like("shade:%"),
            )
            .order_by(Trace.created_at.desc(), Trace.id.desc())
            .limit(limit)
        )
    )


def states(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """(status, stage, place) of several traces at once: what a watcher needs to know. One query."""
    other = select(Trace.id, Trace.created_at).where(Trace.status == "queued").subquery()
    ahead = (
        select(func.count())
        .select_from(other)
        .where(
            or_(
                other.c.created_at < Trace.created_at,
                and_(other.c.created_at == Trace.created_at, other.c.id <= Trace.id),
            )
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(Trace.id, Trace.status, Trace.stage, Trace.attempts, ahead).where(Trace.id.in_(ids))
    )
    return {
        id_: (status, f"{stage}/{attempts}", waiting if status == "queued" else 0)
        for id_, status, stage, attempts, waiting in rows
    }


def claim(session: Session, worker: str, limit: int) -> list[Trace]:
    """Take up to `limit` waiting questions, oldest first; no other worker gets them while the lease lasts.

    One whose worker died comes first and alone, so that a question that kills its worker harms no other.
    """
    return _take(session, worker, Trace.attempts > 0, 1) or _take(session, worker, Trace.attempts == 0, limit)


def _take(session: Session, worker: str, which: ColumnElement[bool], limit: int) -> list[Trace]:
    # As a CTE it is run once; PostgreSQL may run a subquery once per row, and then takes more than the limit.
    chosen = (
        select(Trace.id)
        .where(Trace.status == "queued", which)
        .order_by(Trace.created_at, Trace.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # PostgreSQL only; SQLite has one writer at a time
        .cte("chosen")
    )
    taken = session.scalars(
        update(Trace)
        .where(Trace.id.in_(select(chosen.c.id)), Trace.status == "queued")
        .values(
            status="running",
            worker=worker,
            attempts=Trace.attempts + 1,
            lease_until=now() + LEASE,
            started_at=func.coalesce(Trace.started_at, literal(now(), Trace.started_at.type)),
        )
        .returning(Trace)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    return sorted(taken, key=lambda trace: (trace.created_at, trace.id))


def _mine(worker: str) -> ColumnElement[bool]:
    return and_(Trace.status == "running", Trace.worker == worker)


def advance(session: Session, ids: Sequence[str], worker: str, stage: str) -> set[str]:
    """Say what is being done for these traces; returns those still wanted (not cancelled, lease not lost)."""
    wanted = session.scalars(
        update(Trace)
        .where(Trace.id.in_(ids), _mine(worker))
        .values(stage=stage)
        .returning(Trace.id)
        .execution_options(synchronize_session=False)
    ).all()
    announce(session)
    return set(wanted)


def renew(session: Session, worker: str) -> None:
    """Extend the lease of everything the worker has in hand."""
    session.execute(update(Trace).where(_mine(worker)).values(lease_until=now() + LEASE))


def finish(session: Session, id_: str, worker: str, result: dict[str, Any]) -> bool:
    """Save the answer; False if the trace was cancelled or taken by another worker meanwhile."""
    return _end(session, id_, worker, status="done", stage="done", result=result)


def fail(session: Session, id_: str, worker: str, error: dict[str, Any]) -> bool:
    """Save why there is no answer; False as for `finish`."""
    return _end(session, id_, worker, status="failed", stage="failed", error=error)


def _end(session: Session, id_: str, worker: str, **values: Any) -> bool:
    ended = session.execute(
        update(Trace)
        .where(Trace.id == id_, _mine(worker))
        .values(**values, lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    announce(session)
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def cancel(session: Session, id_: str) -> bool:
    """Take the question back; False if it was over already."""
    ended = session.execute(
        update(Trace)
        .where(Trace.id == id_, Trace.status.in_(("queued", "running")))
        .values(status="cancelled", stage="cancelled", lease_until=None, finished_at=now())
    )
    announce(session)
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def recover(session: Session, dead: Sequence[str] = ()) -> tuple[int, int]:
    """Put back what dead workers had in hand: those whose lease ran out, and those known to be `dead`.

    Returns:
        how many wait again, and how many failed because `MAX_ATTEMPTS` workers died over them.
    """
    lost = and_(Trace.status == "running", or_(Trace.lease_until < now(), Trace.worker.in_(list(dead))))
    error = {
        "message": f"The tracing worker died {MAX_ATTEMPTS} times while it answered this question.",
        "remedy": "Ask again, or something shorter; the worker's log says what happened.",
    }
    failed = session.execute(
        update(Trace)
        .where(lost, Trace.attempts >= MAX_ATTEMPTS)
        .values(status="failed", stage="failed", error=error, lease_until=None, finished_at=now())
    )
    again = session.execute(
        update(Trace).where(lost).values(status="queued", stage="queued", worker=None, lease_until=None)
    )
    counts = (again.rowcount, failed.rowcount)  # type: ignore[attr-defined]
    if any(counts):
        announce(session)
    return counts


def release(session: Session, worker: str) -> None:
    """Put back what a worker that stops in good order still has in hand; the attempt is not counted."""
    session.execute(
        update(Trace)
        .where(_mine(worker))
        .values(status="queued", stage="queued", worker=None, lease_until=None, attempts=Trace.attempts - 1)
    )
    announce(session)


def _seconds_until_room(session: Session, limit: int) -> int:
    """How long half of a full queue takes at the speed of the last minute, between 1 and 60 seconds."""
    since = now() - timedelta(seconds=60)
    finished = session.scalars(
        select(func.count()).where(Trace.status == "done", Trace.finished_at > since)
    ).one()
    return min(60, max(1, math.ceil(limit / 2 / (finished / 60)))) if finished else 30
