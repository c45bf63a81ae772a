"""How many prompts of a list each combination of facet values has: counted once, then any facet's counts are sums.

A run has millions of prompts but only some thousands of combinations, so that browsing a large run costs what browsing a
small one costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.store.columns import FIRST, Columns, Floats, Ints, Longs
from app.words.slices import SLICES

NAMES = tuple(SLICES)
MOST_VALUES = 24  # of a facet
KEPT = 200  # choices per run whose counts are kept
DENSE = 1 << 22  # possible combinations up to which each has a place of its own


SUMS = (
    "prompts",
    "judged",
    "right",
    "known",
    "within_10",
    "reciprocal_ranks",
    "hits",
    "by_ais",
    "ais_within_10",
    "ais_reciprocal_ranks",
    "ais_hits",
    "measured",
    "tail_patches",
)


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
    known: int  # prompts whose passages somebody judged by whether they state it
    by_ais: int  # prompts whose passages have AIS scores
    measured: int  # prompts with a tail-patch
    right: float | None  # share of the judged answers
    mrr: float | None  # over the `known`, as the paper's viewer counts it
    recall_at_10: float | None
    precision_at_10: (
        float | None
    )  # a place without a passage is a wrong one; of a shorter list the viewer says 0
    ais_mrr: float | None  # the same over those with AIS scores, by a score above 0.5
    ais_recall_at_10: float | None
    ais_precision_at_10: float | None
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

    return Summary(
        prompts=int(total["prompts"]),
        judged=int(total["judged"]),
        known=int(total["known"]),
        by_ais=int(total["by_ais"]),
        measured=int(total["measured"]),
        right=share("right", total["judged"]),
        mrr=share("reciprocal_ranks", total["known"]),
        recall_at_10=share("within_10", total["known"]),
        precision_at_10=share("hits", FIRST * total["known"]),
        ais_mrr=share("ais_reciprocal_ranks", total["by_ais"]),
        ais_recall_at_10=share("ais_within_10", total["by_ais"]),
        ais_precision_at_10=share("ais_hits", FIRST * total["by_ais"]),
        tail_patch=share("tail_patches", total["measured"]),
    )


def tally_of(columns: Columns, rows: Ints | None = None) -> Tally:
    """The tally of a run's prompts, or of these rows of them."""
    codes = [_part(columns.codes[name], rows) for name in NAMES]
    sizes = [len(columns.values[name]) + 1 for name in NAMES]
    keys = np.zeros(len(codes[0]), np.int64)
    for code, size in zip(codes, sizes, strict=True):
        keys = keys * size + code + 1
    cells, inverse = _told_apart(keys, int(np.prod(sizes, dtype=np.float64)))
    sums = [np.bincount(inverse, weights=each, minlength=len(cells)) for each in _weights(columns, rows)]
    values = []
    for name, size in zip(reversed(NAMES), reversed(sizes), strict=True):
        cells, code = np.divmod(cells, size)
        known = [None, *columns.values[name]]
        values.append([known[each] for each in code])
    combined = zip(zip(*reversed(values), strict=True), zip(*sums, strict=True), strict=True)
    return Tally([Combination(each, tuple(map(float, row))) for each, row in combined])


def _part(values: Any, rows: Ints | None) -> Any:
    return values if rows is None else values[rows]


def _told_apart(keys: Longs, possible: int) -> tuple[Longs, Longs]:
    """The keys that there are, ascending, and for each key its number among them."""
    if possible > DENSE:
        return np.unique(keys, return_inverse=True)
    there = np.flatnonzero(np.bincount(keys, minlength=possible))
    number = np.zeros(possible, np.int64)
    number[there] = np.arange(len(there))
    return there, number[keys]


def _weights(columns: Columns, rows: Ints | None) -> list[Floats]:
    """What each row adds to each of `SUMS`."""
    right = _part(columns.codes["right"], rows)
    patches = _part(columns.patches, rows)
    measured = ~np.isnan(patches)
    weights = (
        np.ones(len(right)),
        right >= 0,
        right == columns.code("right", "yes"),
        _part(columns.known, rows),
        *_by_rank(_part(columns.ranks, rows)),
        _part(columns.hits, rows),
        _part(columns.by_ais, rows),
        *_by_rank(_part(columns.ais_ranks, rows)),
        _part(columns.ais_hits, rows),
        measured,
        np.where(measured, patches, 0.0),
    )
    return [np.asarray(each, np.float64) for each in weights]


def _by_rank(ranks: Ints) -> tuple[Any, Any]:
    """Whether the first passage that states it is among the first ten, and one by its rank."""
    return (ranks > 0) & (ranks <= FIRST), np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)


def _ordered(found: Mapping[str | None, float], chosen: str) -> list[Count]:
    """Most frequent first; the value chosen is always among them, even at none."""
    known = [(value, int(n)) for value, n in found.items() if value is not None]
    counts = [Count(value, n) for value, n in sorted(known, key=lambda item: (-item[1], item[0]))]
    if chosen and chosen not in found:
        counts.append(Count(chosen, 0))
    return counts[:MOST_VALUES] + [each for each in counts[MOST_VALUES:] if each.value == chosen]
