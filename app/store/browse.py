"""Browsing the prompts of a run: filtered, searched, in keyset pages.

Queries read `results`, `prompts` and `outputs`, and of each prompt shown the first passage by its key; none depends on
how many passages were retrieved, and counts come from the run's tally.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import randrange
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, union
from sqlalchemy.orm import Session

from app.store.examples import judged
from app.store.filters import Node, Rows, condition
from app.store.full_text import matching_outputs, matching_prompts, words
from app.store.tables import Output, Prompt, Result, Run
from app.store.tally import FACETS, NAMES, Tally, joined, tallies

PAGE_SIZE = 40


@dataclass(frozen=True)
class Filters:
    """What of a run is shown; empty means everything."""

    task: str = ""
    relation: str = ""
    frequency: str = ""  # bucket number
    right: str = ""  # yes, no
    confidence: str = ""  # high, low
    stated: str = ""  # yes: a proponent states the fact, no: none does
    ais: str = ""  # high, low
    q: str = ""
    where: Node | None = None

    def chosen(self) -> dict[str, str]:
        """The facets' values."""
        return {name: getattr(self, name) for name in NAMES if getattr(self, name)}


@dataclass(frozen=True)
class ListedResult:
    """One prompt in a list."""

    result: Result
    prompt: Prompt
    output: Output | None
    judged: bool  # somebody said of its passages whether they state the fact


@dataclass(frozen=True)
class ListWindow:
    """Rows that stand together in a list, and whether there are more on either side."""

    rows: list[ListedResult]
    before: bool
    after: bool


SORTS: dict[str, tuple[Callable[[], ColumnElement[Any]], bool]] = {
    # name -> (value, descending); prompts without the value come last
    "frequency": (lambda: func.coalesce(Prompt.frequency, -1), True),
    "rare": (lambda: func.coalesce(Prompt.frequency, 1 << 40), False),
    "score": (lambda: func.coalesce(Result.top_score, -1e300), True),
    "probability": (lambda: func.coalesce(Output.probability, -1.0), True),
    "sure": (lambda: func.coalesce(Output.said_probability, -1.0), True),
    "tail-patch": (lambda: func.coalesce(Result.tail_patch, -1e300), True),
}


def filtered(session: Session, run: Run, filters: Filters, *, walk: bool = False) -> Select[Any]:
    """`results` of the run joined to prompts and outputs, with every filter.

    Args:
        walk: go through the run in order; the facets' own indexes are kept out of it.
    """
    query = joined().where(Result.run_id == run.id)
    for name, value in filters.chosen().items():
        query = query.where((func.coalesce(FACETS[name], "") if walk else FACETS[name]) == value)
    extra = narrowed(session, filters)
    return query if extra is None else query.where(extra)


def narrowed(session: Session, filters: Filters) -> ColumnElement[bool] | None:
    """The search and the expression as one condition; None if there is neither."""
    parts: list[ColumnElement[bool]] = []
    if words(filters.q):
        of_prompt = Prompt.id.in_(matching_prompts(session, filters.q))
        of_answer = Output.id.in_(matching_outputs(session, filters.q))
        # Said twice: an “or” alone makes the database look at every prompt, a union lets it start from the few found.
        answered = select(Output.prompt_id).where(of_answer)
        parts.append(Prompt.id.in_(union(matching_prompts(session, filters.q), answered)))
        parts.append(or_(of_prompt, of_answer))
    if filters.where is not None:
        parts.append(condition(filters.where, Rows(prompt=Prompt, output=Output, result=Result)))
    return and_(true(), *parts) if parts else None


def tally(session: Session, run: Run, filters: Filters) -> Tally:
    """The run's tally under the search and the expression; the facets are the tally's to apply."""
    return tallies(session, [run], narrowed(session, filters))[run.id]


def count(session: Session, run: Run, filters: Filters) -> int:
    """How many prompts the filters leave."""
    return tally(session, run, filters).count(filters.chosen())


def page(
    session: Session,
    run: Run,
    filters: Filters,
    *,
    sort: str = "",
    after: int | None = None,
    before: int | None = None,
    last: bool = False,
    size: int = PAGE_SIZE,
    few: bool = False,
) -> list[ListedResult]:
    """One page of prompts in order, from behind (or up to before) the prompt at a position of the run.

    Args:
        last: the end of the list, whatever `before` is.
        few: the filters leave a small part, so find that part first instead of walking the run in order.
    """
    backwards = last or before is not None
    edge = None if last else before if backwards else after
    columns, descending = _order(sort)
    query = filtered(session, run, filters, walk=not few).add_columns(Result, Prompt, Output, judged())
    if edge is not None:
        query = query.where(_beyond(session, run, sort, edge, forwards=not backwards))
    if backwards:
        descending = [not each for each in descending]
    if few:
        columns = [*columns[:-1], columns[-1] + 0]  # an expression: the index over positions cannot serve it
    order = [c.desc() if down else c.asc() for c, down in zip(columns, descending, strict=True)]
    rows = [ListedResult(*row) for row in session.execute(query.order_by(*order).limit(size))]
    return rows[::-1] if backwards else rows


def window(
    session: Session,
    run: Run,
    filters: Filters,
    total: int,
    *,
    sort: str = "",
    after: int | None = None,
    before: int | None = None,
    limit: int = PAGE_SIZE,
) -> ListWindow:
    """A page of the list, of `limit` rows, and what lies beyond it; `before` less than 0 is the last page."""
    if not total:
        return ListWindow([], False, False)
    last = before is not None and before < 0
    size = (total % limit or limit) if last else limit
    few = is_few(run, total, size)
    rows = page(
        session, run, filters, sort=sort, after=after, before=before, last=last, size=size + 1, few=few
    )
    if before is not None:
        more, rows = len(rows) > size, rows[-size:]
        return ListWindow(rows, before=more, after=not last)
    return ListWindow(rows[:size], before=after is not None, after=len(rows) > size)


def is_few(run: Run, total: int, size: int = 1) -> bool:
    """Whether `size` prompts of a list of `total` are found faster by finding the whole list first.

    Going through the run in order looks at `size / (total / prompt_count)` rows; finding the list looks at `total`.
    """
    return total * total < size * run.prompt_count


def random_one(session: Session, run: Run, filters: Filters) -> str | None:
    """Slug of a prompt drawn from the list.

    From a long list it is the first at or after a random place in the run, so that none need be counted: after a gap
    the next prompt is drawn more often.
    """
    total = count(session, run, filters)
    if not total:
        return None
    if is_few(run, total):
        return nth(session, run, filters, "", 1 + randrange(total))
    start = randrange(max(1, run.prompt_count)) - 1
    for edge in (start, None):
        rows = page(session, run, filters, after=edge, size=1)
        if rows:
            return rows[0].prompt.slug
    return None


def nth(session: Session, run: Run, filters: Filters, sort: str, number: int) -> str | None:
    """Slug of the n-th prompt of the list, counted from 1."""
    columns, descending = _order(sort)
    order = [c.desc() if down else c.asc() for c, down in zip(columns, descending, strict=True)]
    query = filtered(session, run, filters).add_columns(Prompt.slug).order_by(*order)
    return session.scalar(query.offset(max(0, number - 1)).limit(1))


def drop_one(session: Session, run: Run, filters: Filters, names: Sequence[str]) -> list[tuple[str, int]]:
    """For a list that came out empty: the filters whose removal would show something, and how much."""
    found = []
    for name in names:
        changes: dict[str, Any] = {name: None if name == "where" else ""}
        left = count(session, run, replace(filters, **changes))
        if left:
            found.append((name, left))
    return sorted(found, key=lambda item: -item[1])


def _order(sort: str) -> tuple[list[ColumnElement[Any]], list[bool]]:
    if sort not in SORTS:
        return [Result.position.expression], [False]
    value, descending = SORTS[sort]
    return [value(), Result.position.expression], [descending, False]


def _beyond(session: Session, run: Run, sort: str, position: int, *, forwards: bool) -> ColumnElement[bool]:
    """Rows after (or before) the one at a position, in the order of the sort."""
    further = Result.position > position if forwards else Result.position < position
    if sort not in SORTS:
        return further
    value, descending = SORTS[sort]
    here = session.scalar(
        filtered(session, run, Filters()).add_columns(value()).where(Result.position == position)
    )
    if here is None:
        return true()
    less = value() < here if descending == forwards else value() > here
    return or_(less, and_(value() == here, further))
