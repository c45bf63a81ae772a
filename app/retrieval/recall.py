"""How many candidates a small kind needs for the ten best to be among them, asked of the rows themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.retrieval.ranking import hits_only
from app.retrieval.scan import CodeScan, stored_rows
from app.trackstar.index import TrackstarIndex
from app.trackstar.rows import MappedRows

ASKED = 64  # rows that are asked as queries
BEST = 10
CANDIDATES = (100, 200, 400, 800, 1_600)
ENOUGH = 0.995  # so that the promised 0.99 holds for other queries too


@dataclass(frozen=True)
class Recall:
    """The share `of_ten` best rows that are among so many candidates."""

    candidates: int
    of_ten: float

    @property
    def enough(self) -> bool:
        """Whether the kind can be offered."""
        return self.of_ten >= ENOUGH


def measured(index: TrackstarIndex, empty: Any, codes: MappedRows) -> Recall:
    """The fewest candidates that are enough, or the most that are tried.

    Rows drawn at random are asked; they find others, for what a row makes of itself says nothing.
    """
    manifest = index.manifest
    blank = np.asarray(manifest.zero_rows, dtype=np.int64)
    usable = np.setdiff1d(np.arange(manifest.passages), blank)
    drawn = np.sort(np.random.default_rng(1).permutation(usable)[:ASKED])
    queries = index.take(drawn)
    k = min(BEST, len(usable) - 1)
    if k < 1:
        return Recall(CANDIDATES[0], 1.0)
    scan = CodeScan(stored_rows(manifest.dimension), index.rows)
    best = _others(*scan.best(queries, min(manifest.passages, 4 * BEST + len(blank))), drawn, blank)
    found = CodeScan(empty, codes).best(queries, min(manifest.passages, CANDIDATES[-1] + 1))[1]
    told = Recall(CANDIDATES[0], 0.0)
    for candidates in CANDIDATES:
        shares = [
            _share(scores, rows, own[: candidates + 1], k)
            for (scores, rows), own in zip(best, found, strict=True)
        ]
        told = Recall(candidates, float(np.mean(shares)))
        if told.enough:
            break
    return told


def _others(
    scores: np.ndarray, rows: np.ndarray, asked: np.ndarray, blank: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scores and rows of each query's hits, best first, the query's own row left out."""
    hits = hits_only(scores, rows, blank)
    keep = np.isfinite(hits) & (rows != asked[:, None])
    return [(own[kept], found[kept]) for own, found, kept in zip(hits, rows, keep, strict=True)]


def _share(scores: np.ndarray, rows: np.ndarray, candidates: np.ndarray, k: int) -> float:
    """Of the k best how many are candidates; of equal rows at place k any counts."""
    k = min(k, len(scores))
    good = rows[scores >= scores[k - 1]]
    return min(k, len(np.intersect1d(good, candidates))) / k
