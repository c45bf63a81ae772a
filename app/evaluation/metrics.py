"""Retrieval metrics over ranked judgements, with the definitions of the paper's viewer, and their intervals.

A ranking is a sequence of judgements, True where the passage states the fact, best rank first. A prompt nobody
could get right (no passage states its fact) counts like any other: with 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Judged = Sequence[bool]
RESAMPLES = 2_000
LEVEL = 0.95


def reciprocal_rank(judged: Judged) -> float:
    """1 / rank of the first correct passage, 0 if none is (MRR is its mean; paper §5.1)."""
    return next((1 / rank for rank, good in enumerate(judged, 1) if good), 0.0)


def recall_at(judged: Judged, k: int) -> float:
    """1 if any of the first k passages is correct, else 0: the viewer's recall@k."""
    return float(any(judged[:k]))


def precision_at(judged: Judged, k: int) -> float:
    """Share of the first k places that hold a correct passage; empty places count as wrong."""
    return sum(map(bool, judged[:k])) / k


def average_precision(judged: Judged, relevant: int) -> float:
    """Mean over the `relevant` passages there are of the precision at each one's rank; 0 for those not found."""
    if not relevant:
        return 0.0
    hits, total = 0, 0.0
    for rank, good in enumerate(judged, 1):
        if good:
            hits += 1
            total += hits / rank
    return total / max(relevant, hits)


def entailed(scores: Sequence[float | None], threshold: float = 0.5) -> list[bool]:
    """AIS scores as judgements: at or above the threshold states the fact; a missing score does not."""
    return [score is not None and score >= threshold for score in scores]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95% bootstrap interval, over `count` prompts."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float], *, seed: int = 0) -> Estimate | None:
    """The mean of per-prompt values and its percentile bootstrap interval (prompts resampled); None for none."""
    if not len(values):
        return None
    array = np.asarray(values, dtype=np.float64)
    means = _resampled(array, seed)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def paired_difference(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Estimate | None:
    """How much higher the first is on the same prompts: the mean of differences with its interval."""
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} values are not of the same prompts")
    return estimate([x - y for x, y in zip(a, b, strict=True)], seed=seed)


def _resampled(values: np.ndarray, seed: int) -> np.ndarray:
    """(RESAMPLES,) means of the values drawn again with replacement."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [values[rng.integers(0, len(values), (100, len(values)))].mean(1) for _ in range(RESAMPLES // 100)]
    )


METRICS: dict[str, Callable[[Judged, int], float]] = {
    "mrr": lambda judged, relevant: reciprocal_rank(judged),
    "recall_at_1": lambda judged, relevant: recall_at(judged, 1),
    "recall_at_10": lambda judged, relevant: recall_at(judged, 10),
    "precision_at_10": lambda judged, relevant: precision_at(judged, 10),
    "average_precision": lambda judged, relevant: average_precision(judged, relevant),
}
"""What is reported for every run: name -> (judgements, passages that state the fact) -> value of one prompt."""
