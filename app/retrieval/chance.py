"""Which of a query's scores are more than chance: the floor that the best of n unrelated passages stays below.

Nearly all passages have nothing to do with a query, and the inner product of two unit vectors without a common
direction is normal, whatever the query is. So the middle of a query's scores tells how chance spreads them, and

    floor = centre + z · spread,   P(the best of n normal scores > z) = ALPHA                        (12)

Only the middle three fifths are looked at: the tails hold what the floor is to be compared with. A tail fitted to
the query's own (Student's t, extreme values) takes related passages for chance, see docs/method.md. Rows that are
not of unit length have no common spread, and no floor.

The scores of a fixed random sample of rows are enough for centre and spread, so a search is hardly slower for it.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import expm1, log1p
from statistics import NormalDist

import numpy as np

from app.retrieval.faiss_package import faiss
from app.retrieval.ranking import ScoresAndRows
from app.retrieval.search import Search
from app.trackstar.index import TrackstarIndex
from app.words.chance import COUNTED_MOST, Chance

ALPHA = (
    0.025  # of lists of unrelated passages that have one above the floor: 5 of 100 for both sides together
)
SAMPLE = 1_024  # rows; the spread is then known to 3 percent
LEAST = 200  # passages below which nothing is said
MIDDLE = (
    0.6  # of the scores, by whose range the spread is told: as many as a fifth may be related to the query
)
BINS, REACH = 48, 1.25  # of the histogram, and how far it reaches on either side: so many times the floor
COUNTED = 32  # hits fetched at first to count those above the floor


def chance_of(scores: np.ndarray, passages: int) -> Chance | None:
    """The bell and the floors that one query's scores tell; `above` is left open.

    Args:
        scores: (m,) of a random sample of the passages, in any order.
        passages: among which the ranking chooses.

    Returns:
        None where there are too few to tell, or where the scores do not spread.
    """
    count = len(scores)
    if count < LEAST:
        return None
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    cut = int(count * (1 - MIDDLE) / 2)
    centre = float(np.median(ordered))
    spread = float(ordered[count - 1 - cut] - ordered[cut]) / (2 * NormalDist().inv_cdf((1 + MIDDLE) / 2))
    if not spread > 0:
        return None
    reach = best_of(passages) * spread
    edges = centre + reach * np.linspace(-REACH, REACH, BINS + 1)
    counts, _ = np.histogram(np.clip(ordered, edges[0], edges[-1]), edges)
    return Chance(
        passages=passages,
        sample=count,
        centre=centre,
        spread=spread,
        floor=centre + reach,
        opponent_floor=centre - reach,
        edges=tuple(float(f"{edge:.5g}") for edge in edges),
        counts=tuple(counts.tolist()),
    )


def best_of(passages: int) -> float:
    """z of (12): the standard deviations that the best of so many normal scores exceeds with probability `ALPHA`."""
    return -NormalDist().inv_cdf(-expm1(log1p(-ALPHA) / passages))


class Unrelated:
    """A fixed random sample of an index's rows, whose scores tell what chance gives for a query."""

    def __init__(self, index: TrackstarIndex) -> None:
        manifest = index.manifest
        size = min(SAMPLE, manifest.passages)
        drawn = np.random.default_rng(0).choice(manifest.passages, size, replace=False)
        self.passages = manifest.passages - len(manifest.zero_rows)
        self._rows = faiss.index_factory(manifest.dimension, "SQfp16", faiss.METRIC_INNER_PRODUCT)
        if manifest.method.unit_norm:
            self._rows.add(index.take(np.setdiff1d(drawn, manifest.zero_rows)))

    def of(self, queries: np.ndarray) -> list[Chance | None]:
        """For each of (n, d) float32 queries what chance gives; None where that cannot be told."""
        if self._rows.ntotal < LEAST:
            return [None] * len(queries)
        if len(queries) == 1:  # waking a second thread for so few rows costs more than it saves
            faiss.omp_set_num_threads(1)
        scores, _ = self._rows.search(np.ascontiguousarray(queries, dtype=np.float32), self._rows.ntotal)
        return [chance_of(own, self.passages) for own in scores]


def search_with_chance(
    search: Search, unrelated: Unrelated, queries: np.ndarray, k: int, opponents: int = 0
) -> tuple[ScoresAndRows, ScoresAndRows | None, list[Chance | None]]:
    """The k best passages of each query, so many opponents, and what of either is more than chance.

    A count of `COUNTED_MOST` says: so many or more.
    """
    chances = unrelated.of(queries)
    best, above = _counted(search, queries, k, chances, opponents=False)
    chances = [each and replace(each, above=own) for each, own in zip(chances, above, strict=True)]
    if not opponents:
        return best, None, chances
    low, beyond = _counted(search, queries, opponents, chances, opponents=True)
    chances = [
        each and replace(each, opponents_beyond=own) for each, own in zip(chances, beyond, strict=True)
    ]
    return best, low, chances


def _counted(
    search: Search, queries: np.ndarray, k: int, chances: Sequence[Chance | None], *, opponents: bool
) -> tuple[ScoresAndRows, list[int]]:
    """The k best on one side, and how many are beyond the floor: more are fetched until one is not."""
    if not any(chances):
        return search.search(queries, k, opponents=opponents), [0] * len(chances)
    sign = -1.0 if opponents else 1.0
    floors = np.array(
        [sign * (each.opponent_floor if opponents else each.floor) if each else np.inf for each in chances]
    )
    fetched = max(k, COUNTED)
    scores, rows = search.search(queries, fetched, opponents=opponents)
    beyond = (sign * scores > floors[:, None]).sum(1)
    while fetched < COUNTED_MOST and len(full := np.flatnonzero(beyond == fetched)):
        fetched = min(8 * fetched, COUNTED_MOST)
        more, _ = search.search(queries[full], fetched, opponents=opponents)
        beyond[full] = (sign * more > floors[full, None]).sum(1)
    return (scores[:, :k], rows[:, :k]), beyond.tolist()
