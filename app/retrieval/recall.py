"""How many candidates a small kind needs for the ten best to be among them, asked of the rows themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.retrieval.ranking import PIECE, ranked
from app.retrieval.scan import Scan
from app.retrieval.torch_search import best_among
from app.trackstar.index import TrackstarIndex

ASKED = 64  # rows that are asked as queries
BEST = 10
CANDIDATES = tuple(100 << doubled for doubled in range(11))
TRIED = 1_600  # candidates that are tried in any case; of many rows a hundredth is, whose reading costs less than a scan of all
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
class KnownBest:
    """Queries (m, d) and what exact search finds for each: its best rows, and how many of them count (of equal rows at
    the last place any does).

    Args:
        own: candidates more, for a row that is asked finds itself.
    """

    queries: np.ndarray
    best: list[tuple[np.ndarray, int]]
    own: int = 0


def measured(index: TrackstarIndex, scan: Scan, asked: Sequence[KnownBest]) -> Recall:
    """The fewest candidates that are enough, or the most that are tried, whatever is asked.

    Args:
        scan: as many best rows of queries as it is told, by their codes.
    """
    told = [_of(index, scan, each) for each in asked] or [Recall(CANDIDATES[0], 1.0)]
    return Recall(max(each.candidates for each in told), min(each.of_ten for each in told))


def _of(index: TrackstarIndex, scan: Scan, asked: KnownBest) -> Recall:
    passages = index.manifest.passages
    tried = [each for each in CANDIDATES if each <= max(TRIED, passages // 100)]
    found = scan(asked.queries, min(passages, tried[-1] + asked.own))[1]
    told = Recall(CANDIDATES[0], 0.0)
    for candidates in tried:
        shares = [
            min(k, len(np.intersect1d(good, own[: candidates + asked.own]))) / k
            for (good, k), own in zip(asked.best, found, strict=True)
        ]
        told = Recall(candidates, float(np.mean(shares)))
        if told.enough:
            break
    return told


def rows_asked(index: TrackstarIndex) -> list[KnownBest]:
    """Rows drawn at random, and these turned round; none where there are too few. They find others, for what a row makes of
    itself says nothing."""
    drawn = np.sort(shuffled(index)[:ASKED])
    return both_ways(index, index.take(drawn), drawn) if len(drawn) > 1 else []


def both_ways(index: TrackstarIndex, queries: np.ndarray, drawn: np.ndarray | None = None) -> list[KnownBest]:
    """Queries as they are, and turned round as opponents are looked for: those are nobody's neighbours, and are missed sooner.
    See `asked_of`."""
    known = asked_of(index, np.concatenate([queries, -queries]), None if drawn is None else np.tile(drawn, 2))
    cut = len(queries)
    return [
        KnownBest(known.queries[side], known.best[side], known.own) for side in (slice(cut), slice(cut, None))
    ]


def shuffled(index: TrackstarIndex) -> np.ndarray:
    """The rows that can be hits, in an order drawn at random, the same for the same index."""
    blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)
    usable = np.setdiff1d(np.arange(index.manifest.passages), blank)
    return np.random.default_rng(1).permutation(usable)


def asked_of(index: TrackstarIndex, queries: np.ndarray, drawn: np.ndarray | None = None) -> KnownBest:
    """Queries (m, d) with what exact search finds.

    Args:
        drawn: the rows (m,) that they are, which are not to find themselves; None: they are none.
    """
    blank = torch.tensor(index.manifest.zero_rows, dtype=torch.long)
    asked = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32))
    top, places = best_among(_pieces(index), asked, 4 * BEST, blank)
    scores, rows = ranked(top.numpy(), places.numpy(), 4 * BEST, 1.0, opponents=False)
    keep = np.isfinite(scores)
    if drawn is not None:
        keep &= rows != drawn[:, None]
    best = []
    for own, found, kept in zip(scores, rows, keep, strict=True):
        k = min(BEST, int(kept.sum()))
        best.append((found[kept][own[kept] >= own[kept][k - 1]], k))
    return KnownBest(queries, best, own=int(drawn is not None))


def _pieces(index: TrackstarIndex) -> Iterator[torch.Tensor]:
    """All rows, some megabytes at a time."""
    index.rows.check()
    step = max(1, PIECE // index.manifest.dimension)
    for shard in index.rows:
        for at in range(0, len(shard), step):
            yield torch.from_numpy(np.array(shard[at : at + step]))
