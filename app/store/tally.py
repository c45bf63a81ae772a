"""How many prompts of a run each combination of facet values has: counted once, then any facet's counts are sums.

A finished run has millions of prompts but only some thousands of combinations. They are remembered until the run
changes, so that browsing a large run costs what browsing a small one costs. A search or an expression cuts across
the combinations and is counted anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from app.store.memory import remembered_each
from app.store.tables import Output, Prompt, Result, Run
from app.words.slices import SLICES

CONFIDENT = 0.5  # the paper's viewer calls an answer confident from here
ENTAILED = (
    0.5  # an AIS score above it says that the passage states the fact: the rule of the viewer of the paper
)

# Somebody knows which passages state it: a fact, or a prompt that some passage is known to state.
_LOOKED_FOR = or_(Prompt.task == "fact", Prompt.frequency > 0)

FACETS: dict[str, ColumnElement[Any]] = {  # of `app.words.slices`
    "task": Prompt.task.expression,
    "relation": Prompt.relation.expression,
    "frequency": cast(Prompt.frequency_bucket, String),
    "right": case((Output.correct.is_(True), "yes"), (Output.correct.is_(False), "no")),
    "confidence": case((Output.confidence >= CONFIDENT, "high"), (Output.confidence < CONFIDENT, "low")),
    "stated": case(
        (or_(Result.first_correct_rank.is_not(None), Result.best_ais > ENTAILED), "yes"),
        (or_(_LOOKED_FOR, Prompt.stated.is_(False), Result.best_ais.is_not(None)), "no"),
    ),
    "ais": case((Result.best_ais > ENTAILED, "high"), (Result.best_ais <= ENTAILED, "low")),
}
NAMES = tuple(SLICES)
MOST_VALUES = 24  # of a facet
KEPT = 200  # choices per run whose counts are kept
SUMS: dict[str, ColumnElement[Any]] = {
    "prompts": func.count(),
    "judged": func.count(Output.correct),
    "right": func.sum(case((Output.correct.is_(True), 1), else_=0)),
    "known": func.sum(case((or_(Result.first_correct_rank.is_not(None), _LOOKED_FOR), 1), else_=0)),
    "found": func.count(Result.first_correct_rank),
    "within_10": func.sum(case((Result.first_correct_rank <= 10, 1), else_=0)),
    "reciprocal_ranks": func.sum(1.0 / Result.first_correct_rank),
    "measured": func.count(Result.tail_patch),
    "tail_patches": func.sum(Result.tail_patch),
}


@dataclass(frozen=True)
class Combination:
    """One combination of facet values (in the order of `NAMES`) and its sums (in that of `SUMS`)."""

    values: tuple[str | None, ...]
    sums: tuple[float, ...]


@dataclass(frozen=True)
class Summary:
    """What the filters leave, in numbers, each with how many prompts it is over; None where nothing of the kind is known."""

    prompts: int
    judged: int  # answers that somebody judged
    known: int  # prompts that some passage is known to state
    measured: int  # prompts with a tail-patch
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
    """The combinations of a run. What is worked out of them is kept: the same lists are asked for over and over."""

    def __init__(self, cells: Sequence[Combination]) -> None:
        self.cells = cells
        self._worked: dict[tuple[Any, ...], tuple[Summary, dict[str, list[Count]]]] = {}

    def count(self, chosen: Mapping[str, str]) -> int:
        """How many prompts have all the values chosen."""
        return self.summary(chosen).prompts

    def facets(self, chosen: Mapping[str, str]) -> dict[str, list[Count]]:
        """Every facet's values, most frequent first, each counted under all other facets' choices."""
        return self._work_out(chosen)[1]

    def summary(self, chosen: Mapping[str, str]) -> Summary:
        """The numbers of the prompts that have all the values chosen."""
        return self._work_out(chosen)[0]

    def _work_out(self, chosen: Mapping[str, str]) -> tuple[Summary, dict[str, list[Count]]]:
        wanted = [(at, chosen[name]) for at, name in enumerate(NAMES) if chosen.get(name)]
        key = tuple(wanted)
        if key not in self._worked:
            inside, beside = self._split(wanted)
            counts: list[dict[str | None, float]] = [{} for _ in NAMES]
            for cell in inside:
                for at, value in enumerate(cell.values):
                    counts[at][value] = counts[at].get(value, 0.0) + cell.sums[0]
            for at, cell in beside:
                counts[at][cell.values[at]] = counts[at].get(cell.values[at], 0.0) + cell.sums[0]
            facets = {
                name: _ordered(found, chosen.get(name, "")) for name, found in zip(NAMES, counts, strict=True)
            }
            if len(self._worked) >= KEPT:
                self._worked.pop(next(iter(self._worked)), None)
            self._worked[key] = (_summary(inside), facets)
        return self._worked[key]

    def _split(
        self, wanted: Sequence[tuple[int, str]]
    ) -> tuple[list[Combination], list[tuple[int, Combination]]]:
        """The cells that have all the values, and those that miss only one, with the facet they miss it in."""
        if not wanted:
            return list(self.cells), []
        inside, beside = [], []
        for cell in self.cells:
            missed = [at for at, value in wanted if cell.values[at] != value]
            if not missed:
                inside.append(cell)
            elif len(missed) == 1:
                beside.append((missed[0], cell))
        return inside, beside


def _summary(cells: Sequence[Combination]) -> Summary:
    sums = [sum(column) for column in zip(*(cell.sums for cell in cells), strict=True)]
    total = dict(zip(SUMS, sums or [0.0] * len(SUMS), strict=True))

    def share(part: str, whole: float) -> float | None:
        return total[part] / whole if whole else None

    found = total["found"]  # without any passage that states a fact nobody may have looked for one
    return Summary(
        prompts=int(total["prompts"]),
        judged=int(total["judged"]),
        known=int(total["known"]) if found else 0,
        measured=int(total["measured"]),
        right=share("right", total["judged"]),
        mrr=share("reciprocal_ranks", total["known"]) if found else None,
        recall_at_10=share("within_10", total["known"]) if found else None,
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
    cells: dict[int, list[Combination]] = {run.id: [] for run in runs}
    facets = [FACETS[name].label(f"facet_{name}") for name in NAMES]
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
        cells[row[0]].append(Combination(values, tuple(float(each or 0) for each in row[1 + len(NAMES) :])))
    return {id_: Tally(found) for id_, found in cells.items()}


@cache  # a statement is a value: each filter makes another of it
def joined() -> Select[Any]:
    """`results` with their runs, prompts and, where there are any, outputs of the run's model."""
    return (
        select()
        .select_from(Result)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Result.prompt_id, Output.model_id == Run.model_id))
    )


def _ordered(found: Mapping[str | None, float], chosen: str) -> list[Count]:
    """Most frequent first; the value chosen is always among them, even at none."""
    known = [(value, int(n)) for value, n in found.items() if value is not None]
    counts = [Count(value, n) for value, n in sorted(known, key=lambda item: (-item[1], item[0]))]
    if chosen and chosen not in found:
        counts.append(Count(chosen, 0))
    return counts[:MOST_VALUES] + [each for each in counts[MOST_VALUES:] if each.value == chosen]
