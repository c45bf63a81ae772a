"""How many candidates a small kind needs for the ten best to be among them, asked of the rows themselves."""

from dataclasses import dataclass

import numpy as np

from app.retrieval.ranking import hits_only
from app.retrieval.scan import CodeScan, Scan, stored_rows
from app.trackstar.index import TrackstarIndex

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


@dataclass(frozen=True)
class Asked:
    """Queries (m, d) and what exact search finds for each: its best rows, and how many of them count (of equal rows at
    the last place any does).

    Args:
        own: candidates more, for a row that is asked finds itself.
    """

    queries: np.ndarray
    best: list[tuple[np.ndarray, int]]
    own: int = 0


def measured(index: TrackstarIndex, scan: Scan, asked: Asked | None = None) -> Recall:
    """The fewest candidates that are enough, or the most that are tried.

    Args:
        scan: as many best rows of queries as it is told, by their codes.
        asked: what is asked; None: rows drawn at random. They find others, for what a row makes of itself says nothing.
    """
    asked = asked or _rows_asked(index)
    if asked is None:
        return Recall(CANDIDATES[0], 1.0)
    found = scan(asked.queries, min(index.manifest.passages, CANDIDATES[-1] + asked.own))[1]
    told = Recall(CANDIDATES[0], 0.0)
    for candidates in CANDIDATES:
        shares = [
            min(k, len(np.intersect1d(good, own[: candidates + asked.own]))) / k
            for (good, k), own in zip(asked.best, found, strict=True)
        ]
        told = Recall(candidates, float(np.mean(shares)))
        if told.enough:
            break
    return told


def _rows_asked(index: TrackstarIndex) -> Asked | None:
    """None where there are too few."""
    drawn = np.sort(shuffled(index)[:ASKED])
    return asked_of(index, index.take(drawn), drawn) if len(drawn) > 1 else None


def shuffled(index: TrackstarIndex) -> np.ndarray:
    """The rows that can be hits, in an order drawn at random, the same for the same index."""
    blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)
    usable = np.setdiff1d(np.arange(index.manifest.passages), blank)
    return np.random.default_rng(1).permutation(usable)


def asked_of(index: TrackstarIndex, queries: np.ndarray, drawn: np.ndarray | None = None) -> Asked:
    """Queries (m, d) with what exact search finds.

    Args:
        drawn: the rows (m,) that they are, which are not to find themselves; None: they are none.
    """
    manifest = index.manifest
    blank = np.asarray(manifest.zero_rows, dtype=np.int64)
    scan = CodeScan(stored_rows(manifest.dimension), index.rows)
    scores, rows = scan.best(queries, min(manifest.passages, 4 * BEST + len(blank)))
    hits = hits_only(scores, rows, blank)
    keep = np.isfinite(hits)
    if drawn is not None:
        keep &= rows != drawn[:, None]
    best = []
    for own, found, kept in zip(hits, rows, keep, strict=True):
        k = min(BEST, int(kept.sum()))
        best.append((found[kept][own[kept] >= own[kept][k - 1]], k))
    return Asked(queries, best, own=int(drawn is not None))
