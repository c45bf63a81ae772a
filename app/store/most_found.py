"""The passages that a run found for most of its prompts: counted when a large run is written, for there are ten rows a prompt."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.columns import found_most
from app.store.memory import remembered
from app.store.tables import Passage, Run


def most_found(session: Session, run: Run, limit: int = 10) -> Sequence[tuple[Passage, int]]:
    """The passages that are proponents of most prompts of a run, each with how many."""
    counted = dict(remembered(session, "most found", [run], lambda: found_most(session, run))[:limit])
    known = session.scalars(select(Passage).where(Passage.id.in_(counted)))
    by_id = {passage.id: passage for passage in known}
    return [(by_id[id_], times) for id_, times in counted.items() if id_ in by_id]
