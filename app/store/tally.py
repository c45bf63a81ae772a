"""How many prompts of a list each combination of facet values has: counted once, then any facet's counts are sums.

A run has millions of prompts but only some thousands of combinations, so that browsing a large run costs what browsing a
small one costs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.words.slices import SLICES

NAMES = tuple(SLICES)
MOST_VALUES = 24  # of a facet
KEPT = 200  # choices per run whose counts are kept
FIRST = 10  # proponents that recall and precision look at

Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    """The combinations of facet values that some prompts have. What is worked out of them is kept: the same lists are asked
    for over and over.

    Args:
        values: of each facet (in the order of `NAMES`) those that there are.
        codes: (combinations, facets) the place of each one's value in `values`, −1 where there is none.
        sums: (combinations, `SUMS`) over the prompts that have it.
    """

    def __init__(self, values: Sequence[Sequence[str]], codes: Ints, sums: Floats) -> None:
        self.values, self.codes, self.sums = values, codes, sums
        self._worked: dict[tuple[Any, ...], tuple[Summary, dict[str, list[Count]]]] = {}

    @property
    def nbytes(self) -> int:
        """Memory that its arrays take."""
        return self.codes.nbytes + self.sums.nbytes

    def count(self, chosen: Mapping[str, str]) -> int:
        """How many prompts have all the values chosen."""
        return self.summary(chosen).prompts

    def facets(self, chosen: Mapping[str, str]) -> dict[str, list[Count]]:
        """Every facet's values, most frequent first, each counted under all other facets' choices."""
        return self._work_out(chosen)[1]

    def summary(self, chosen: Mapping[str, str]) -> Summary:
        """The numbers of the prompts that have all the values chosen."""
        return self._work_out(chosen)[0]

    def having(self, chosen: Mapping[str, str]) -> Bools:
        """(combinations,): which have all the values chosen."""
        return np.logical_and.reduce(
            [np.ones(len(self.codes), np.bool_), *(self.has(name, value) for name, value in chosen.items())]
        )

    def has(self, facet: str, value: str) -> Bools:
        """(combinations,): which have this value of a facet."""
        at = NAMES.index(facet)
        code = self.values[at].index(value) if value in self.values[at] else -2
        return np.asarray(self.codes[:, at] == code)

    def _work_out(self, chosen: Mapping[str, str]) -> tuple[Summary, dict[str, list[Count]]]:
        key = tuple((name, chosen[name]) for name in NAMES if chosen.get(name))
        if key not in self._worked:
            missed = {name: ~self.has(name, value) for name, value in key}
            misses = sum(missed.values(), np.zeros(len(self.codes), np.int64))
            facets = {
                name: self._counted(at, (misses == missed.get(name, False)), chosen.get(name, ""))
                for at, name in enumerate(NAMES)
            }
            if len(self._worked) >= KEPT:
                self._worked.pop(next(iter(self._worked)), None)
            self._worked[key] = (_summary(self.sums[misses == 0].sum(axis=0)), facets)
        return self._worked[key]

    def _counted(self, at: int, cells: Bools, chosen: str) -> list[Count]:
        """How often each value of a facet is in these combinations, most frequent first; the value chosen is always among
        them, even at none."""
        known, prompts = self.values[at], self.sums[cells, 0]
        times = np.bincount(self.codes[cells, at] + 1, weights=prompts, minlength=len(known) + 1)[1:]
        found = [Count(value, int(n)) for value, n in zip(known, times.tolist(), strict=True) if n]
        found.sort(key=lambda each: (-each.count, each.value))
        if chosen and chosen not in (each.value for each in found):
            found.append(Count(chosen, 0))
        return found[:MOST_VALUES] + [each for each in found[MOST_VALUES:] if each.value == chosen]


def _summary(sums: Floats) -> Summary:
    total = dict(zip(SUMS, sums.tolist(), strict=True))

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


def tallied(
    values: Sequence[Sequence[str]], codes: Ints, cells: Ints, measures: Mapping[str, NDArray[Any]]
) -> Tally:
    """The tally of n prompts.

    Args:
        values, codes: see `Tally`.
        cells: (n,) each one's combination.
        measures: by name (n,), see `app.store.columns.Columns`.
    """
    there = np.flatnonzero(np.bincount(cells, minlength=len(codes)))
    number = np.zeros(len(codes), np.int64)
    number[there] = np.arange(len(there))
    groups = number[cells]
    right = codes[:, NAMES.index("right")]
    yes = values[NAMES.index("right")].index("yes") if "yes" in values[NAMES.index("right")] else -2
    weights: tuple[Callable[[], Any], ...] = (  # of a million prompts one takes ten megabytes
        lambda: np.ones(len(cells)),
        lambda: (right >= 0)[cells],
        lambda: (right == yes)[cells],
        lambda: measures["known"],
        lambda: _among_first(measures["ranks"]),
        lambda: _one_by(measures["ranks"]),
        lambda: measures["hits"],
        lambda: measures["by_ais"],
        lambda: _among_first(measures["ais_ranks"]),
        lambda: _one_by(measures["ais_ranks"]),
        lambda: measures["ais_hits"],
        lambda: ~np.isnan(measures["patches"]),
        lambda: np.nan_to_num(measures["patches"]),
    )
    sums = [np.bincount(groups, weights=each(), minlength=len(there)) for each in weights]
    return Tally(values, codes[there], np.stack(sums, axis=1))


def _among_first(ranks: Ints) -> Bools:
    """Whether the first passage that states it is among the first ten."""
    return (ranks > 0) & (ranks <= FIRST)


def _one_by(ranks: Ints) -> Floats:
    """One by the rank of the first passage that states it; 0 where none does."""
    return np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)
