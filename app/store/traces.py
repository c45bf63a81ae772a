"""Questions about answers given on demand. What is asked and not yet answered is a job, see `app.store.jobs`."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.readers import PUBLIC
from app.store.work_tables import Job, Trace


def get(session: Session, id_: str) -> Trace | None:
    """The answer of this id; None where there is none (yet)."""
    return session.get(Trace, id_) if id_.isalnum() and id_.isascii() else None


def keep(session: Session, job: Job, result: dict[str, object]) -> None:
    """Save the answer to the job's question, under the job's id."""
    asked = {"asker": job.asker, "visibility": job.visibility}
    session.add(Trace(id=job.id, request=job.request, result=result, created_at=job.created_at, **asked))


def recent(session: Session, *, limit: int) -> list[Trace]:
    """The questions answered last that are listed, newest first."""
    newest = (
        select(Trace).where(Trace.visibility == PUBLIC).order_by(Trace.created_at.desc(), Trace.id.desc())
    )
    return list(session.scalars(newest.limit(limit)))
