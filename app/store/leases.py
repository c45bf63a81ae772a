"""Who has which job in hand: taken from the queue under a lease that progress renews, ended, or put back.

Every move is one conditional UPDATE, so that two workers never do one job and a worker that lost its lease cannot
write. A worker that makes no progress loses the job like one that died; and nothing runs past its kind's deadline.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, update
from sqlalchemy.orm import Session

from app.store.base import now
from app.store.changed import changed
from app.store.commits import announce
from app.store.job_kinds import KINDS, TRACING
from app.store.jobs import TURN
from app.store.work_tables import Job


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
        .order_by(*TURN)
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
    return sorted(taken, key=lambda job: (job.priority, job.turn, job.created_at, job.id))


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


def renew(session: Session, worker: str) -> None:
    """Count lease and deadline of what the worker has in hand from now on: the clock leapt, the work did not stand."""
    session.execute(
        update(Job)
        .where(_mine(worker))
        .values(lease_until=_after("lease"), deadline=_after("limit"))
        .execution_options(synchronize_session=False)
    )


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
    return changed(ended) > 0


@dataclass(frozen=True)
class Recovered:
    """Ids of jobs that were in lost hands: those that wait again, and those that failed."""

    again: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


def recover(session: Session, dead: Collection[str] = ()) -> Recovered:
    """Put back what was in lost hands: of workers without progress, past the deadline, and of those known to be `dead`.

    What failed was past its deadline, or too many workers died over it. Where the lease is over too, nobody was seen at work
    until the deadline: the clock was set forth, or the machine was away. That is no long answer, and it is done again.
    """
    failed: set[str] = set()
    for name, kind in KINDS.items():
        of_kind = and_(Job.kind == name, Job.state == "running")
        hours = kind.limit.total_seconds() / 3600
        late = f"It was not done after {hours:g} {'hour' if hours == 1 else 'hours'}."
        failed |= _give_up(
            session,
            and_(of_kind, Job.deadline < now(), Job.lease_until >= now()),
            late,
            "Ask for less at once.",
        )
        lost = and_(of_kind, _lost(dead), Job.attempts >= kind.attempts)
        addressed = and_(Job.kind == name, Job.state == "queued", Job.worker.in_(list(dead)))
        failed |= _give_up(session, or_(lost, addressed), *kind.lost)
    again = session.scalars(
        update(Job)
        .where(Job.state == "running", _lost(dead))
        .values(
            state="queued",
            stage="queued",
            done=0,
            total=None,
            worker=None,
            lease_until=None,
            deadline=case((Job.deadline < now(), None), else_=Job.deadline),
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    if again or failed:
        announce(session)
    return Recovered(frozenset(again), frozenset(failed))


def _lost(dead: Collection[str]) -> ColumnElement[bool]:
    return or_(Job.lease_until < now(), Job.worker.in_(list(dead)))


def _give_up(session: Session, which: ColumnElement[bool], message: str, remedy: str) -> set[str]:
    error = {"message": message, "remedy": remedy}
    ended = session.scalars(
        update(Job)
        .where(which)
        .values(state="failed", stage="failed", error=error, lease_until=None, finished_at=now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return set(ended)


def release(session: Session, worker: str) -> None:
    """Put back what a worker that stops in good order still has in hand; the attempt is not counted."""
    session.execute(
        update(Job)
        .where(_mine(worker))
        .values(state="queued", stage="queued", worker=None, lease_until=None, attempts=Job.attempts - 1)
        .execution_options(synchronize_session=False)
    )
    announce(session)
