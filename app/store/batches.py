"""Questions asked together: a row of the queue that was over when it was made, and names the jobs it put there.

How far a batch is is how far these are; nothing is kept twice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.store.base import now
from app.store.changed import changed
from app.store.commits import announce
from app.store.jobs import OVER, new_id
from app.store.work_tables import Job

KIND = "batch"


@dataclass(frozen=True)
class BatchState:
    """A batch as it is now: its jobs in the order of its questions, each with whether it was answered before."""

    id: str
    jobs: Sequence[Job]
    reused: Sequence[bool]

    @property
    def counts(self) -> Mapping[str, int]:
        """State -> how many of its questions are in it."""
        return Counter(job.state for job in self.jobs)

    @property
    def over(self) -> bool:
        """Whether nothing of it waits or runs."""
        return all(job.state in OVER for job in self.jobs)


def add(session: Session, traces: Sequence[str], reused: Sequence[bool]) -> str:
    """Keep which traces were asked for together; returns the batch's id."""
    moment = now()
    row = Job(
        id=new_id(),
        kind=KIND,
        key="",
        state="done",
        stage="done",
        request={"traces": list(traces), "reused": list(reused)},
        attempts=0,
        done=len(traces),
        created_at=moment,
        finished_at=moment,
    )
    session.add(row)
    session.flush()
    return row.id


def find(session: Session, id_: str) -> BatchState:
    """The batch of this id, as it is now. Two queries.

    Raises:
        NotFound: there is none.
    """
    row = session.get(Job, id_) if id_.isalnum() and id_.isascii() else None
    if row is None or row.kind != KIND:
        raise NotFound(f"There is no batch “{id_}”.", remedy="Ask for one at /api/v1/batches.")
    of_it = session.scalars(
        select(Job).where(Job.id.in_(row.request["traces"])), execution_options={"populate_existing": True}
    )
    found = {job.id: job for job in of_it}
    kept = [
        (found[trace], was)
        for trace, was in zip(row.request["traces"], row.request["reused"], strict=True)
        if trace in found
    ]
    return BatchState(id_, [job for job, _ in kept], [was for _, was in kept])


def cancel(session: Session, batch: BatchState) -> int:
    """Take back what of it waits or runs; returns how many questions that were. What others asked for before stays."""
    own = [job.id for job, was in zip(batch.jobs, batch.reused, strict=True) if not was]
    ended = session.execute(
        update(Job)
        .where(Job.id.in_(own), Job.state.in_(("queued", "running")))
        .values(state="cancelled", stage="cancelled", lease_until=None, finished_at=now())
        .execution_options(synchronize_session=False)
    )
    announce(session)
    return changed(ended)
