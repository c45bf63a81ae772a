"""How many prompts of a run each combination of facet values has: counted once, then any facet's counts are sums.

A finished run has millions of prompts but only some thousands of combinations. They are remembered until the run
changes, so that browsing a large run costs what browsing a small one costs. A search or an expression cuts across
the combinations and is counted anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from app.store.memory import remembered_each
from app.store.tables import Output, Prompt, Result, Run

CONFIDENT = 0.5  # the paper's viewer calls an answer confident from here
ENTAILED = 0.5  # an AIS score from here on says that the passage states the fact

FACETS: dict[str, ColumnElement[Any]] = {
    "task": Prompt.task.expression,
    "relation": Prompt.relation.expression,
    "frequency": cast(Prompt.frequency_bucket, String),
    "right": case((Output.correct.is_(True), "yes"), (Output.correct.is_(False), "no")),
    "confidence": case((Output.confidence >= CONFIDENT, "high"), (Output.confidence < CONFIDENT, "low")),
    "stated": case(
        (Result.first_correct_rank.is_not(None), "yes"),
        (or_(Prompt.task == "fact", Prompt.frequency > 0), "no"),
    ),
    "ais": case((Result.best_ais >= ENTAILED, "high"), (Result.best_ais < ENTAILED, "low")),
}
NAMES = tuple(FACETS)
SUMS: dict[str, ColumnElement[Any]] = {
    "prompts": func.count(),
    "judged": func.count(Output.correct),
    "right": func.sum(case((Output.correct.is_(True), 1), else_=0)),
    "found": func.count(Result.first_correct_rank),
    "within_10": func.sum(case((Result.first_correct_rank <= 10, 1), else_=0)),
    "reciprocal_ranks": func.sum(1.0 / Result.first_correct_rank),
    "measured": func.count(Result.tail_patch),
    "tail_patches": func.sum(Result.tail_patch),
}


@dataclass(frozen=True)
class Cell:
    """One combination of facet values (in the order of `NAMES`) and its sums (in that of `SUMS`)."""

    values: tuple[str | None, ...]
    sums: tuple[float, ...]


@dataclass(frozen=True)
class Summary:
    """What the filters leave, in numbers; None where nothing of the kind is known."""

    prompts: int
    right: float | None  # share of the judged answers
    mrr: float | None  # over prompts that some passage is known to state
    recall_at_10: float | None
    tail_patch: float | None  # mean, percentage points


@dataclass(frozen=True)
class Count:
    """One value of a facet and how many prompts it would leave."""

    value: str
    count: int


class Tally:
    """The combinations of a run."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells

    def count(self, chosen: Mapping[str, str]) -> int:
        """How many prompts have all the values chosen."""
        wanted = _wanted(chosen)
        return int(sum(cell.sums[0] for cell in self.cells if _misses(cell, wanted) == (0, "")))

    def facets(self, chosen: Mapping[str, str], most: int = 24) -> dict[str, list[Count]]:
        """Every facet's values, most frequent first, each counted under all other facets' choices."""
        wanted = _wanted(chosen)
        counts: dict[str, dict[str, int]] = {name: {} for name in NAMES}
        for cell in self.cells:
            missed, where = _misses(cell, wanted)
            if missed > 1:
                continue
            for name, value in zip(NAMES, cell.values, strict=True):
                if value is not None and (not missed or where == name):
                    counts[name][value] = counts[name].get(value, 0) + int(cell.sums[0])
        return {name: _ordered(found, chosen.get(name, ""), most) for name, found in counts.items()}

    def summary(self, chosen: Mapping[str, str]) -> Summary:
        """The numbers of the prompts that have all the values chosen."""
        wanted = _wanted(chosen)
        cells = [cell for cell in self.cells if _misses(cell, wanted) == (0, "")]
        sums = [sum(column) for column in zip(*(cell.sums for cell in cells), strict=True)]
        total = dict(zip(SUMS, sums or [0.0] * len(SUMS), strict=True))
        stated = NAMES.index("stated")
        known = sum(cell.sums[0] for cell in cells if cell.values[stated] is not None)

        def share(part: str, whole: float) -> float | None:
            return total[part] / whole if whole else None

        found = total["found"]  # without any passage that states a fact nobody may have looked for one
        return Summary(
            prompts=int(total["prompts"]),
            right=share("right", total["judged"]),
            mrr=share("reciprocal_ranks", known) if found else None,
            recall_at_10=share("within_10", known) if found else None,
            tail_patch=share("tail_patches", total["measured"]),
        )


def tallies(
    session: Session, runs: Sequence[Run], narrowed: ColumnElement[bool] | None = None
) -> dict[int, Tally]:
    """The tally of every run by its id, in at most two queries.

    Args:
        narrowed: a search or an expression that leaves out prompts; what it leaves is not remembered.
    """
    if narrowed is not None:
        return _counted(session, runs, narrowed)
    return remembered_each(
        session, "tally", runs, lambda missing: list(_counted(session, missing, None).values())
    )


def _counted(session: Session, runs: Sequence[Run], narrowed: ColumnElement[bool] | None) -> dict[int, Tally]:
    cells: dict[int, list[Cell]] = {run.id: [] for run in runs}
    facets = [column.label(f"facet_{name}") for name, column in FACETS.items()]
    query: Select[Any] = (
        joined()
        .add_columns(Result.run_id, *facets, *(column.label(f"sum_{name}") for name, column in SUMS.items()))
        .where(Result.run_id.in_(cells))
        .group_by(Result.run_id, *facets)
    )
    if narrowed is not None:
        query = query.where(narrowed)
    for row in session.execute(query):
        values = tuple(None if each is None else str(each) for each in row[1 : 1 + len(NAMES)])
        cells[row[0]].append(Cell(values, tuple(float(each or 0) for each in row[1 + len(NAMES) :])))
    return {id_: Tally(found) for id_, found in cells.items()}


def joined() -> Select[Any]:
    """`results` with their runs, prompts and, where there are any, outputs of the run's model."""
    return (
        select()
        .select_from(Result)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Result.prompt_id, Output.model_id == Run.model_id))
    )


def _wanted(chosen: Mapping[str, str]) -> list[tuple[int, str]]:
    return [(at, chosen[name]) for at, name in enumerate(NAMES) if chosen.get(name)]


def _misses(cell: Cell, wanted: Sequence[tuple[int, str]]) -> tuple[int, str]:
    """How many of the choices the cell does not have, and the facet of the last one."""
    missed, where = 0, ""
    for at, value in wanted:
        if cell.values[at] != value:
            missed, where = missed + 1, NAMES[at]
    return missed, where


def _ordered(found: Mapping[str, int], chosen: str, most: int) -> list[Count]:
    """Most frequent first; the value chosen is always among them, even at none."""
    counts = [Count(value, n) for value, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    if chosen and chosen not in found:
        counts.append(Count(chosen, 0))
    return counts[:most] + [each for each in counts[most:] if each.value == chosen]
