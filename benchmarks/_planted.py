"""What the benchmarks of planted passages share: the measure, and what chance gives."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

FIRST = 50


def area(ranked: np.ndarray, planted: Collection[int]) -> float:
    """Mean over rankings of the area under precision and recall of what was ranked.

    Of one ranking it is the sum of the precision at each planted passage's rank, divided by how many planted passages
    there could be in it: 1 where all of them come first.

    Args:
        ranked: rows (rankings, FIRST), best first; -1 where there is no more.
    """
    return float(np.mean([_of_one(rows, planted) for rows in ranked]))


def interval(
    of: Callable[[Sequence[int]], float], questions: int, *, draws: int = 400, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure over questions drawn anew with replacement.

    Args:
        of: the figure of some questions, by their places.
    """
    rng = np.random.default_rng(seed)
    found = [of(rng.integers(0, questions, questions).tolist()) for _ in range(draws)]
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _of_one(rows: np.ndarray, planted: Collection[int]) -> float:
    hits = np.array([row in planted for row in rows.tolist()])
    precision = hits.cumsum() / np.arange(1, len(rows) + 1)
    return float(precision[hits].sum()) / min(len(planted), len(rows))
