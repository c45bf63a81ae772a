"""Which prompts of runs a search and an expression leave: the tables are asked, and no further than a list shows.

A word that stands in every one of a million prompts is found in the first ten thousand of them in milliseconds, and in all of
them in seconds.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, and_, or_, select, true, union, union_all
from sqlalchemy.orm import Session

from app.store.columns import Columns
from app.store.filters import Node, Rows, condition
from app.store.full_text import first_answers, first_prompts, matching_outputs, matching_prompts, words
from app.store.slicing import joined
from app.store.tables import Output, Prompt, Result, Run
from app.store.tally import Ints

Longs = NDArray[np.int64]

AT_ONCE = 10_000  # rows found that are in memory together
MOST = 10_000  # prompts that a search or an expression leaves of a run before it stops looking


@dataclass(frozen=True, eq=False)
class Found:
    """Rows of a run's columns, ascending, and whether there may be more."""

    rows: Ints
    more: bool


def find(
    session: Session,
    runs: Sequence[Run],
    columns: Mapping[int, Columns],
    question: str,
    where: Node | None,
    most: int | None,
) -> dict[int, Found]:
    """What each run has of it, by its id.

    Args:
        question: words that all must occur in a prompt or its answer; without any, all prompts are meant.
        where: an expression that must be true besides.
        most: how many prompts of a run are looked for; None for all.
    """
    if where is None:
        return _by_words(session, runs, columns, question, most)
    return _by_expression(session, runs, columns, _condition(session, question, where), most)


def _condition(session: Session, question: str, where: Node) -> ColumnElement[bool]:
    parts = [true(), condition(where, Rows(prompt=Prompt, output=Output, result=Result))]
    if words(question):
        of_answer = Output.id.in_(matching_outputs(session, question))
        # Said twice: an “or” alone makes the database look at every prompt, a union lets it start from the few found.
        answered = select(Output.prompt_id).where(of_answer)
        parts.append(Prompt.id.in_(union(matching_prompts(session, question), answered)))
        parts.append(or_(Prompt.id.in_(matching_prompts(session, question)), of_answer))
    return and_(*parts)


def _by_expression(
    session: Session,
    runs: Sequence[Run],
    columns: Mapping[int, Columns],
    true_of: ColumnElement[bool],
    most: int | None,
) -> dict[int, Found]:
    """In one query: the first of each run, in its order."""
    firsts = [
        joined()
        .add_columns(Result.run_id, Result.position)
        .where(Result.run_id == run.id, true_of)
        .order_by(Result.position)
        .limit(None if most is None else most + 1)
        .subquery()
        for run in runs
    ]
    positions = {run.id: array("i") for run in runs}
    every = union_all(*(select(each) for each in firsts))
    for row in session.execute(every, execution_options={"yield_per": AT_ONCE}):
        positions[row[0]].append(row[1])
    return {id_: _found(columns[id_].rows_at(each), most) for id_, each in positions.items()}


def _by_words(
    session: Session, runs: Sequence[Run], columns: Mapping[int, Columns], question: str, most: int | None
) -> dict[int, Found]:
    """Prompts of each set and answers of each model, in the order in which they were written."""
    found = {}
    asked: dict[tuple[str, int, int], tuple[int, Longs]] = {}

    def ask(kind: str, of: int, after: int) -> tuple[int, Longs]:
        """Runs over the same prompts and models ask the same."""
        if (kind, of, after) not in asked:
            first = first_prompts if kind == "prompts" else first_answers
            parts = first(session, question, of, after, None if most is None else most + 1)
            last, prompts = after, array("q")
            for part in parts:
                last = part[-1][0]
                prompts.extend(row[1] for row in part)
            asked[kind, of, after] = last, np.frombuffer(prompts, np.int64)
        return asked[kind, of, after]

    for run in runs:
        own = columns[run.id]
        stated = _all_of(partial(ask, "prompts", run.prompt_set_id), own, most)
        answered = _all_of(partial(ask, "answers", run.model_id), own, most)
        found[run.id] = _found(np.union1d(stated, answered) if len(answered) else stated, most)
    return found


def _all_of(ask: Callable[[int], tuple[int, Longs]], columns: Columns, most: int | None) -> Ints:
    """The run's rows of the ids that are found, batch after batch until they are more than `most`.

    Args:
        ask: of the next ones behind an id the last id, and (m,) ids of their prompts.
    """
    after, prompts = ask(0)
    rows = columns.rows_of(prompts)
    while most is not None and len(prompts) > most and len(rows) <= most:
        after, prompts = ask(after)
        rows = np.union1d(rows, columns.rows_of(prompts))
    return rows


def _found(rows: Ints, most: int | None) -> Found:
    return Found(rows[:most], more=most is not None and len(rows) > most)
