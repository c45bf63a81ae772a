"""How much work waits, runs and was done, for those who watch the site."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.base import now
from app.store.jobs import utc
from app.store.readers import EVERYTHING
from app.store.work_tables import Job

HOUR = timedelta(hours=1)
Ended = Sequence[tuple[str, str, float]]


def counts(session: Session) -> dict[tuple[str, str], int]:
    """(kind, state) -> jobs that wait or run."""
    query = select(Job.kind, Job.state, func.count()).where(Job.state.in_(("queued", "running")))
    rows = session.execute(query.group_by(Job.kind, Job.state), execution_options=EVERYTHING)
    return {(kind, state): count for kind, state, count in rows}


def finished(session: Session) -> Ended:
    """Kind, state and seconds from question to end of what ended within the last hour, the newest 1,000."""
    query = (
        select(Job.kind, Job.state, Job.created_at, Job.finished_at)
        .where(Job.finished_at > now() - HOUR)
        .order_by(Job.finished_at.desc())
        .limit(1_000)
    )
    rows = session.execute(query, execution_options=EVERYTHING)
    return [(kind, state, (utc(end) - utc(begin)).total_seconds()) for kind, state, begin, end in rows if end]
