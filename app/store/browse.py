"""Browsing the prompts of a run: filtered, searched, counted by facet, in keyset pages.

Every query reads only `results`, `prompts` and `outputs`; none depends on how many passages were retrieved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select, true
from sqlalchemy.orm import Session

from app.store.filters import Node, Rows, condition
from app.store.search import matching_prompts, words
from app.store.tables import Output, Prompt, Result, Run

PAGE_SIZE = 40
CONFIDENT = 0.5  # the paper's viewer calls an answer confident from here
ENTAILED = 0.5  # an AIS score from here on says that the passage states the fact


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


@dataclass(frozen=True)
class Row:
    """One prompt in a list."""

    result: Result
    prompt: Prompt
    output: Output | None


@dataclass(frozen=True)
class Count:
    """One value of a facet and how many prompts it would leave."""

    value: str
    count: int


def _yes_no(column: ColumnElement[Any]) -> ColumnElement[str]:
    return case((column.is_(True), "yes"), (column.is_(False), "no"))


FACETS: dict[str, Callable[[], ColumnElement[Any]]] = {
    "task": lambda: Prompt.task,
    "relation": lambda: Prompt.relation,
    "frequency": lambda: cast(Prompt.frequency_bucket, String),
    "right": lambda: _yes_no(Output.correct),
    "confidence": lambda: case(
        (Output.confidence >= CONFIDENT, "high"), (Output.confidence < CONFIDENT, "low")
    ),
    "stated": lambda: case((Result.first_correct_rank.is_not(None), "yes"), (Prompt.task == "fact", "no")),
    "ais": lambda: case((Result.best_ais >= ENTAILED, "high"), (Result.best_ais < ENTAILED, "low")),
}

SORTS: dict[str, tuple[Callable[[], ColumnElement[Any]], bool]] = {
    # name -> (value, descending); prompts without the value come last
    "frequency": (lambda: func.coalesce(Prompt.frequency, -1), True),
    "rare": (lambda: func.coalesce(Prompt.frequency, 1 << 40), False),
    "score": (lambda: func.coalesce(Result.top_score, -1e300), True),
    "probability": (lambda: func.coalesce(Output.probability, -1.0), True),
    "tail-patch": (lambda: func.coalesce(Result.tail_patch, -1e300), True),
}


def filtered(session: Session, run: Run, filters: Filters, *, without: str = "") -> Select[Any]:
    """`results` of the run joined to prompts and outputs, with every filter but the facet `without`."""
    joined = (
        select()
        .select_from(Result)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Result.prompt_id, Output.model_id == run.model_id))
        .where(Result.run_id == run.id)
    )
    for name, column in FACETS.items():
        value = getattr(filters, name)
        if value and name != without:
            joined = joined.where(column() == value)
    if words(filters.q):
        answers = Output.answer.ilike(f"%{filters.q.strip()}%", escape="\\")
        joined = joined.where(or_(Prompt.id.in_(matching_prompts(session, filters.q)), answers))
    if filters.where is not None:
        joined = joined.where(condition(filters.where, Rows(prompt=Prompt, output=Output, result=Result)))
    return joined


def count(session: Session, run: Run, filters: Filters) -> int:
    """How many prompts the filters leave."""
    return session.scalar(filtered(session, run, filters).add_columns(func.count())) or 0


def facet(session: Session, run: Run, filters: Filters, name: str, limit: int = 24) -> list[Count]:
    """The values of one facet, most frequent first, counted under all other filters."""
    column = FACETS[name]()
    query = (
        filtered(session, run, filters, without=name)
        .add_columns(column.label("value"), func.count().label("n"))
        .group_by(column)
        .order_by(func.count().desc(), column)
        .limit(limit + 1)
    )
    return [Count(str(row.value), row.n) for row in session.execute(query) if row.value is not None]


def page(
    session: Session,
    run: Run,
    filters: Filters,
    *,
    sort: str = "",
    after: int | None = None,
    before: int | None = None,
    size: int = PAGE_SIZE,
) -> list[Row]:
    """One page of prompts in order, from behind (or up to before) the prompt at a position of the run."""
    backwards = before is not None
    edge = before if backwards else after
    columns, descending = _order(sort)
    query = filtered(session, run, filters).add_columns(Result, Prompt, Output)
    if edge is not None:
        query = query.where(_beyond(session, run, sort, edge, forwards=not backwards))
    if backwards:
        descending = [not each for each in descending]
    order = [c.desc() if down else c.asc() for c, down in zip(columns, descending, strict=True)]
    rows = [Row(*row) for row in session.execute(query.order_by(*order).limit(size))]
    return rows[::-1] if backwards else rows


def neighbours(
    session: Session, run: Run, filters: Filters, sort: str, position: int
) -> tuple[str | None, str | None]:
    """Slugs of the prompts before and after one, in the list that the filters and sort make."""
    found = []
    for edge in ({"before": position}, {"after": position}):
        rows = page(session, run, filters, sort=sort, size=1, **edge)
        found.append(rows[0].prompt.slug if rows else None)
    return found[0], found[1]


def random_one(session: Session, run: Run, filters: Filters) -> str | None:
    """Slug of a prompt drawn from the list."""
    query = filtered(session, run, filters).add_columns(Prompt.slug).order_by(func.random()).limit(1)
    return session.scalar(query)


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
        left = count(session, run, replace(filters, **{name: None if name == "where" else ""}))
        if left:
            found.append((name, left))
    return sorted(found, key=lambda item: -item[1])


def _order(sort: str) -> tuple[list[ColumnElement[Any]], list[bool]]:
    if sort not in SORTS:
        return [Result.position], [False]
    value, descending = SORTS[sort]
    return [value(), Result.position], [descending, False]


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
