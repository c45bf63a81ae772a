"""The queue of everything that takes time: traces, steps, shadings, imports.

A job is `queued`, then `running` under a lease that its progress renews, then `done`, `failed` or `cancelled`. Every
move is one conditional UPDATE, so that two workers never do one job, a worker that lost its lease cannot write, and
what is over never changes. A worker that makes no progress loses the job like one that died; and nothing runs past
its kind's deadline.
"""

import math
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, and_, case, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store.base import now
from app.store.commits import announce
from app.store.job_kinds import KINDS, TRACING
from app.store.work_tables import Job

OVER = ("done", "failed", "cancelled")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no characters that are misread


class QueueFull(UserError):
    """As many jobs of a kind wait as may wait (HTTP 503); `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, remedy=f"Ask again in {retry_after} seconds.", status=503)
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
) -> Job:
    """Queue a job under a new id.

    Args:
        limit: how many of its kind and priority may wait; counted and inserted in one statement.
        key: equal for jobs that have the same outcome.
        parent: what it is done for.
        worker: who alone can do it.

    Raises:
        QueueFull: `limit` jobs wait already.
    """
    id_ = id_ or new_id()
    alike = and_(Job.state == "queued", Job.kind == kind, Job.priority == priority)
    waiting = select(func.count()).where(alike).scalar_subquery()
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


_TURN = (Job.priority, Job.created_at, Job.id)


def place(session: Session, job: Job) -> int:
    """1 for the next that a tracing worker takes; 0 if it does not wait."""
    return states(session, [job.id])[job.id][2]


def states(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, str, int]]:
    """(state, stage with attempt and progress, place) of several jobs at once: what a watcher needs. One query."""
    other = select(*_TURN).where(Job.state == "queued", Job.kind.in_(TRACING)).subquery()
    columns = (other.c.priority, other.c.created_at, other.c.id)
    ahead = (
        select(func.count()).select_from(other).where(tuple_(*columns) <= tuple_(*_TURN)).scalar_subquery()
    )
    rows = session.execute(
        select(Job.id, Job.state, Job.stage, Job.attempts, Job.done, ahead).where(Job.id.in_(ids))
    )
    return {
        id_: (state, f"{stage}/{attempts}/{done}", waiting if state == "queued" else 0)
        for id_, state, stage, attempts, done, waiting in rows
    }


def claim(session: Session, worker: str, limit: int, kinds: Collection[str] = TRACING) -> list[Job]:
    """Take up to `limit` waiting jobs in their turn; no other worker gets them while the lease lasts.

    One whose worker died comes first and alone, so that a question that kills its worker harms no other.
    """
    mine = and_(Job.kind.in_(list(kinds)), or_(Job.worker.is_(None), Job.worker == worker))
    died = and_(mine, Job.attempts > 0)
    return _take(session, worker, died, 1) or _take(session, worker, mine, limit)


def _take(session: Session, worker: str, which: ColumnElement[bool], limit: int) -> list[Job]:
    # As a CTE it is run once; PostgreSQL may run a subquery once per row, and then takes more than the limit.
    chosen = (
        select(Job.id)
        .where(Job.state == "queued", which)
        .order_by(*_TURN)
        .limit(limit)
        .with_for_update(skip_locked=True)  # PostgreSQL only; SQLite has one writer at a time
        .cte("chosen")
    )
    taken = session.scalars(
        update(Job)
        .where(Job.id.in_(select(chosen.c.id)), Job.state == "queued")
        .values(
            state="running",
            worker=worker,
            attempts=Job.attempts + 1,
            lease_until=_after("lease"),
            started_at=func.coalesce(Job.started_at, literal(now(), Job.started_at.type)),
            deadline=func.coalesce(Job.deadline, _after("limit")),
        )
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    return sorted(taken, key=lambda job: (job.priority, job.created_at, job.id))


def _after(span: str) -> ColumnElement[Any]:
    """From now on, as long as the job's kind is given."""
    moments = {
        name: literal(now() + getattr(kind, span), Job.lease_until.type) for name, kind in KINDS.items()
    }
    return case(moments, value=Job.kind)


def _mine(worker: str) -> ColumnElement[bool]:
    return and_(Job.state == "running", Job.worker == worker)


def held(session: Session, worker: str) -> set[str]:
    """Ids of what the worker has in hand."""
    return set(session.scalars(select(Job.id).where(_mine(worker))))


def advance(
    session: Session,
    ids: Sequence[str],
    worker: str,
    stage: str,
    done: int = 0,
    total: int | None = None,
) -> set[str]:
    """Say how far these jobs are, which renews their leases; returns those still wanted: not cancelled, not lost."""
    wanted = session.scalars(
        update(Job)
        .where(Job.id.in_(ids), _mine(worker), Job.deadline > now())
        .values(stage=stage, done=done, total=total, lease_until=_after("lease"))
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    announce(session)
    return set(wanted)


def finish(session: Session, id_: str, worker: str, result: dict[str, Any] | None = None) -> bool:
    """Say that it is done; False if it was cancelled or taken by another worker meanwhile."""
    return _end(session, id_, worker, state="done", stage="done", result=result)


def fail(session: Session, id_: str, worker: str, error: dict[str, Any]) -> bool:
    """Save why it could not be done; False as for `finish`."""
    return _end(session, id_, worker, state="failed", stage="failed", error=error)


def _end(session: Session, id_: str, worker: str, **values: Any) -> bool:
    ended = session.execute(
        update(Job)
        .where(Job.id == id_, _mine(worker))
        .values(**values, lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    announce(session)
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def cancel(session: Session, id_: str) -> bool:
    """Take it back; False if it was over already."""
    ended = session.execute(
        update(Job)
        .where(Job.id == id_, Job.state.in_(("queued", "running")))
        .values(state="cancelled", stage="cancelled", lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    announce(session)
    return bool(ended.rowcount)  # type: ignore[attr-defined]


def recover(session: Session, dead: Collection[str] = ()) -> tuple[int, int]:
    """Put back what was in lost hands: of workers without progress, past the deadline, and of those known to be `dead`.

    Returns:
        how many wait again, and how many failed: past their deadline, or because too many workers died over them.
    """
    failed = 0
    for name, kind in KINDS.items():
        of_kind = and_(Job.kind == name, Job.state == "running")
        hours = kind.limit.total_seconds() / 3600
        late = f"It was not done after {hours:g} {'hour' if hours == 1 else 'hours'}."
        failed += _give_up(session, and_(of_kind, Job.deadline < now()), late, "Ask for less at once.")
        lost = and_(of_kind, _lost(dead), Job.attempts >= kind.attempts)
        addressed = and_(Job.kind == name, Job.state == "queued", Job.worker.in_(list(dead)))
        failed += _give_up(session, or_(lost, addressed), *kind.lost)
    again = session.execute(
        update(Job)
        .where(Job.state == "running", _lost(dead))
        .values(state="queued", stage="queued", done=0, total=None, worker=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    counts = (again.rowcount, failed)  # type: ignore[attr-defined]
    if any(counts):
        announce(session)
    return counts


def _lost(dead: Collection[str]) -> ColumnElement[bool]:
    return or_(Job.lease_until < now(), Job.worker.in_(list(dead)))


def _give_up(session: Session, which: ColumnElement[bool], message: str, remedy: str) -> int:
    error = {"message": message, "remedy": remedy}
    ended = session.execute(
        update(Job)
        .where(which)
        .values(state="failed", stage="failed", error=error, lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def release(session: Session, worker: str) -> None:
    """Put back what a worker that stops in good order still has in hand; the attempt is not counted."""
    session.execute(
        update(Job)
        .where(_mine(worker))
        .values(state="queued", stage="queued", worker=None, lease_until=None, attempts=Job.attempts - 1)
        .execution_options(synchronize_session=False)
    )
    announce(session)


def _seconds_until_room(session: Session, kind: str, limit: int) -> int:
    """How long half of a full queue takes at the speed of the last minute, between 1 and 60 seconds."""
    lately = and_(Job.kind == kind, Job.state == "done", Job.finished_at > now() - timedelta(seconds=60))
    finished = session.scalars(select(func.count()).where(lately)).one()
    return min(60, max(1, math.ceil(limit / 2 / (finished / 60)))) if finished else 30
