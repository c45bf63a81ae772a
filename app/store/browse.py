"""Browsing the prompts of a run: filtered, searched, sorted, a page at a time.

Which prompts a list has, and in which order, is worked out of the run's columns; a search and an expression ask the tables,
and stop at `MOST`. Of the prompts that a page shows the tables are read by their positions, and of each the first passage by
its key: nothing depends on how many passages were retrieved.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import randrange
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.columns import Columns, columns_of
from app.store.examples import judged
from app.store.filters import Node
from app.store.full_text import words
from app.store.searching import MOST, Found, find
from app.store.slicing import SORTS, joined
from app.store.tables import Output, Prompt, Result, Run
from app.store.tally import NAMES, Ints, Tally

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

    @property
    def searching(self) -> bool:
        """Whether there is a search or an expression, which the tables are asked for."""
        return bool(words(self.q)) or self.where is not None


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


@dataclass(frozen=True, eq=False)
class PromptList:
    """The prompts that filters leave of a run, in the order of a sort.

    Args:
        rows: of the columns, in the list's order.
        more: a search or an expression stopped at `MOST`: there may be more.
    """

    run: Run
    columns: Columns
    sort: str
    rows: Ints
    more: bool

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.rows)

    def place(self, position: int, *, behind: bool) -> int:
        """How many of its prompts stand before the one at a position of the run, whether the list has it or not; with it if
        `behind`. What the run does not have stands before all."""
        find = bisect_right if behind else bisect_left  # of a million rows it looks at twenty
        at = int(np.searchsorted(self.columns.positions, position))
        if self.sort not in SORTS:
            standing, place = self.columns.positions, position
        elif at == len(self.columns) or self.columns.positions[at] != position:
            return 0
        else:
            standing = self.columns.places(self.sort)
            place = int(standing[at])
        return find(range(len(self)), place, key=lambda number: int(standing[self.rows[number]]))

    def positions(self, start: int, end: int) -> list[int]:
        """Positions in the run of its prompts from `start` up to `end`."""
        return [int(each) for each in self.columns.positions[self.rows[max(0, start) : max(0, end)]]]


def tallied(session: Session, runs: Sequence[Run], filters: Filters) -> dict[int, tuple[Tally, Found | None]]:
    """Of each run by its id the tally under the search and the expression, and what these found; the facets are the tally's
    to apply. Without either, tallies are remembered."""
    columns = columns_of(session, runs)
    if not filters.searching:
        return {id_: (own.tally, None) for id_, own in columns.items()}
    found = find(session, runs, columns, filters.q, filters.where, MOST)
    return {run.id: (columns[run.id].tally_of(found[run.id].rows), found[run.id]) for run in runs}


def tallies(session: Session, runs: Sequence[Run]) -> dict[int, Tally]:
    """The tally of every run by its id, without filters."""
    return {id_: tally for id_, (tally, _) in tallied(session, runs, Filters()).items()}


def tally(session: Session, run: Run, filters: Filters) -> Tally:
    """The run's tally under the search and the expression; the facets are the tally's to apply."""
    return tallied(session, [run], filters)[run.id][0]


def count(session: Session, run: Run, filters: Filters) -> int:
    """How many prompts the filters leave; of those that a search finds, up to `MOST`."""
    return tally(session, run, filters).count(filters.chosen())


def listed(
    session: Session,
    run: Run,
    filters: Filters,
    sort: str = "",
    *,
    found: Found | None = None,
    most: int | None = MOST,
) -> PromptList:
    """The list that filters and a sort make of a run.

    Args:
        found: what the search and the expression found, where that is known.
        most: how many prompts they find at the most; None for all.
    """
    columns = columns_of(session, [run])[run.id]
    if found is None and filters.searching:
        found = find(session, [run], {run.id: columns}, filters.q, filters.where, most)[run.id]
    in_order = columns.everything if found is None else found.rows
    rows = columns.order(sort) if sort in SORTS else in_order
    if chosen := filters.chosen():
        rows = rows[columns.having(chosen)[rows]]
    if found is not None and sort in SORTS:
        kept = np.zeros(len(columns), np.bool_)
        kept[found.rows] = True
        rows = rows[kept[rows]]
    return PromptList(run, columns, sort, rows, found is not None and found.more)


def read(session: Session, listing: PromptList, start: int, end: int) -> list[ListedResult]:
    """The prompts of a list from `start` up to `end`; those that went meanwhile are left out."""
    wanted = listing.positions(start, end)
    by_position = _at(session, listing.run, wanted)
    return [by_position[each] for each in wanted if each in by_position]


def _at(session: Session, run: Run, positions: Sequence[int]) -> dict[int, ListedResult]:
    query = joined().add_columns(Result, Prompt, Output, judged())
    rows = session.execute(query.where(Result.run_id == run.id, Result.position.in_(positions)))
    return {row[0].position: ListedResult(*row) for row in rows}


def window(
    session: Session,
    listing: PromptList,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = PAGE_SIZE,
) -> ListWindow:
    """A page of the list, of `limit` rows, from behind (or up to before) the prompt at a position of the run, and what lies
    beyond it; `before` less than 0 is the last page."""
    total = len(listing)
    if before is not None and before < 0:
        start, end = max(0, total - (total % limit or limit)), total
    elif before is not None:
        end = listing.place(before, behind=False)
        start = max(0, end - limit)
    else:
        start = 0 if after is None else listing.place(after, behind=True)
        end = start + limit
    return ListWindow(read(session, listing, start, end), before=start > 0, after=end < total)


def first(session: Session, run: Run, filters: Filters, sort: str, size: int) -> list[ListedResult]:
    """The first prompts of a list."""
    return read(session, listed(session, run, filters, sort), 0, size)


def first_of_each(
    session: Session, run: Run, filters: Sequence[Filters], sort: str, size: int
) -> list[list[ListedResult]]:
    """The first prompts of several sorted lists without searches, read together."""
    columns = columns_of(session, [run])[run.id]
    rows = [columns.firsts(sort, each.chosen(), size) for each in filters]
    wanted = [columns.positions[each].tolist() for each in rows]
    found = _at(session, run, [position for each in wanted for position in each])
    return [[found[position] for position in each if position in found] for each in wanted]


def random_one(session: Session, run: Run, filters: Filters) -> str | None:
    """Slug of a prompt drawn from the list."""
    listing = listed(session, run, filters)
    return _slug(session, listing, randrange(len(listing))) if len(listing) else None


def nth(session: Session, run: Run, filters: Filters, sort: str, number: int) -> str | None:
    """Slug of the n-th prompt of the list, counted from 1."""
    return _slug(session, listed(session, run, filters, sort), number - 1)


def drop_one(session: Session, run: Run, filters: Filters, names: Sequence[str]) -> list[tuple[str, int]]:
    """For a list that came out empty: the filters whose removal would show something, and how much."""
    found = []
    for name in names:
        changes: dict[str, Any] = {name: None if name == "where" else ""}
        left = count(session, run, replace(filters, **changes))
        if left:
            found.append((name, left))
    return sorted(found, key=lambda item: -item[1])


def _slug(session: Session, listing: PromptList, at: int) -> str | None:
    wanted = listing.positions(at, at + 1)
    query = select(Prompt.slug).join(Result, Result.prompt_id == Prompt.id)
    return session.scalar(query.where(Result.run_id == listing.run.id, Result.position.in_(wanted)))
