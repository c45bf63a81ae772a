"""The addresses of all examples, in chunks of a bounded size: by ranges of ids, so that none is counted through."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.tables import Prompt, Result, Run

CHUNK = 5_000  # results; the protocol allows 50,000 addresses
MOST = 49_000  # chunks: as many as one index may name


def chunk_count(session: Session) -> int:
    """How many chunks there are, numbered from 1; where runs were removed, some are empty."""
    last = session.scalar(select(func.max(Result.id))) or 0
    return min(MOST, -(-last // CHUNK))


def addresses(session: Session, number: int) -> list[tuple[str, str, datetime]]:
    """`(slug of the run, slug of the prompt, when the run was made)` of a chunk's examples."""
    when = func.coalesce(Run.finished_at, Run.created_at, type_=Run.created_at.type)
    query = (
        select(Run.slug, Prompt.slug, when)
        .join(Result, Result.run_id == Run.id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .where(Result.id > (number - 1) * CHUNK, Result.id <= number * CHUNK, Run.status == "done")
        .order_by(Result.id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]
