"""Questions about runs: which there are, one by name, and the one a page shows when none is named."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, case, delete, select
from sqlalchemy.orm import Session, joinedload

from app.errors import NotFound
from app.store import audit
from app.store.naming import suggest
from app.store.permalinks import leave_tombstone
from app.store.tables import Result, Run
from app.words.methods import leading

WITH_NAMES = (joinedload(Run.model), joinedload(Run.corpus), joinedload(Run.prompt_set))


_BY_SLUG = select(Run).where(Run.slug == bindparam("slug")).options(*WITH_NAMES)


def get_run(session: Session, slug: str) -> Run:
    """The run with its model, corpus and prompt set.

    Raises:
        NotFound: there is none; close names are suggested.
    """
    run = None if "\0" in slug else session.scalar(_BY_SLUG, {"slug": slug})
    if run is None:
        slugs = session.scalars(select(Run.slug)).all()
        raise NotFound(f"There is no run “{slug}”.", remedy=suggest(slug, slugs, "startrail runs list"))
    return run


def in_order() -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """By what lists of runs are ordered: the registry's leading methods first, then in the order they were made."""
    places = {name: place for place, name in enumerate(leading())}
    return case(places, value=Run.method, else_=len(places)), Run.id.expression


def list_runs(session: Session) -> list[Run]:
    """All runs, in the order of `in_order`; those that stand beside another one are shown with it."""
    query = select(Run).options(*WITH_NAMES).where(Run.beside_id.is_(None)).order_by(*in_order())
    return list(session.scalars(query))


_SIBLINGS = (
    select(Run)
    .join(Result, Result.run_id == Run.id)
    .where(Result.prompt_id == bindparam("prompt"), Run.status == "done", Run.beside_id.is_(None))
    .order_by(*in_order())
)


def sibling_runs(session: Session, prompt_id: int) -> list[Run]:
    """The runs that have a result for this prompt, in the order of `list_runs`."""
    return list(session.scalars(_SIBLINGS, {"prompt": prompt_id}))


def run_beside(session: Session, run: Run) -> Run | None:
    """The run that explains what the model said where this one explains targets that it did not say, if there is one."""
    return session.scalar(select(Run).where(Run.beside_id == run.id).options(*WITH_NAMES).limit(1))


def remove_run(session: Session, slug: str, reason: str) -> Run:
    """Delete a run with the one beside it; its address tells the reason from now on. Passages and prompts stay: their
    addresses are permalinks too, and other runs may show them.

    Raises:
        NotFound: there is none.
    """
    run = get_run(session, slug)
    for gone in filter(None, (run_beside(session, run), run)):
        session.execute(delete(Run).where(Run.id == gone.id))
        leave_tombstone(session, f"/runs/{gone.slug}", reason)
    audit.record(session, "remove", f"run {slug}", reason=reason)
    return run
