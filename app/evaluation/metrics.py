"""Retrieval metrics over ranked judgements, with the definitions of the paper's viewer, and their intervals.

A ranking is a sequence of judgements, True where the passage states the fact, best rank first. A prompt nobody
could get right (no passage states its fact) counts like any other: with 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ranking = Sequence[bool]
RESAMPLES = 2_000
LEVEL = 0.95
THRESHOLD = 0.5
DRAWN_TO = 10_000  # prompts; of more, what is drawn comes out as theory says, and takes minutes
_Z = 1.959964  # standard errors on either side of the mean
_AT_ONCE = 1 << 21  # draws held at a time
Column = Sequence[float] | NDArray[np.float64]


def reciprocal_rank(ranking: Ranking) -> float:
    """1 / rank of the first correct passage, 0 if none is (MRR is its mean; paper §5.1)."""
    return next((1 / rank for rank, good in enumerate(ranking, 1) if good), 0.0)


def recall_at(ranking: Ranking, k: int) -> float:
    """1 if any of the first k passages is correct, else 0: the viewer's recall@k."""
    return float(any(ranking[:k]))


def precision_at(ranking: Ranking, k: int) -> float:
    """Share of the first k places that hold a correct passage; empty places count as wrong."""
    return sum(map(bool, ranking[:k])) / k


def recall_of(ranking: Ranking, k: int, relevant: int) -> float:
    """Share of the `relevant` passages there are that stand among the first k: DATE-LM's Recall@k, 1 for none there are.

    Where more are found than were known, all that were found are the relevant ones.
    """
    there = max(relevant, sum(map(bool, ranking)))
    return sum(map(bool, ranking[:k])) / there if there else 1.0


def average_precision(ranking: Ranking, relevant: int) -> float:
    """Mean over the `relevant` passages there are of the precision at each one's rank; 0 for those not found.

    Where more are found than were known, all that were found are the relevant ones.
    """
    hits, total = 0, 0.0
    for rank, good in enumerate(ranking, 1):
        if good:
            hits += 1
            total += hits / rank
    return total / max(relevant, hits) if hits else 0.0


def entailed(scores: Sequence[float | None], threshold: float = THRESHOLD) -> list[bool]:
    """AIS scores as judgements: above the threshold (the rule of the viewer) states the fact; a missing score does not."""
    return [score is not None and score > threshold for score in scores]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% interval, over `count` prompts."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Column, *, seed: int = 0) -> Estimate | None:
    """The mean of per-prompt values and its percentile bootstrap interval (prompts resampled); None for none.

    Of more than `DRAWN_TO` prompts the interval is the mean and 1.96 standard errors on either side.
    """
    found = estimates({"": values}, seed=seed)
    return found.get("")


def estimates(columns: Mapping[str, Column], *, seed: int = 0) -> dict[str, Estimate]:
    """`estimate` of several metrics of the same prompts, which are drawn together; empty columns are left out.

    The draws depend on the seed and the number of prompts only: `default_rng(seed).integers(0, n, (2000, n))`.
    """
    filled = {name: values for name, values in columns.items() if len(values)}
    if not filled:
        return {}
    table = np.column_stack([np.asarray(values, dtype=np.float64) for values in filled.values()])
    means = table.mean(0)
    if len(table) > DRAWN_TO:
        error = _Z * table.std(0) / len(table) ** 0.5
        low, high = means - error, means + error
    else:
        low, high = np.quantile(_resampled(table, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {
        name: Estimate(float(means[at]), float(low[at]), float(high[at]), len(table))
        for at, name in enumerate(filled)
    }


def paired_difference(a: Column, b: Column, *, seed: int = 0) -> Estimate | None:
    """How much higher the first is on the same prompts: the mean of differences with its interval.

    Raises:
        ValueError: the two are not equally long, so they are not of the same prompts.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values are not of the same prompts")
    return estimate(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed=seed)


def _resampled(table: np.ndarray, seed: int) -> np.ndarray:
    """(RESAMPLES, m) means of the (n, m) rows drawn again with replacement."""
    rng = np.random.default_rng(seed)
    n = len(table)
    step = max(1, _AT_ONCE // n)
    parts = []
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = rng.integers(0, n, (rows, n))
        # How often each prompt was drawn: a small matrix product instead of gathering every column.
        flat = (drawn + np.arange(rows)[:, None] * n).ravel()
        parts.append(np.bincount(flat, minlength=rows * n).reshape(rows, n) @ table / n)
    return np.concatenate(parts)
