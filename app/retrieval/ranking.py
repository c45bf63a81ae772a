"""The best of scored rows: what a hit is, which of equal rows comes first, how many rows are looked at at a time.

Below every way of searching, so that FAISS, torch and a corpus that passes by rank alike. Knows neither of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

CHUNK = 8_192  # rows added, or scored in torch, at a time
PIECE = 1 << 23  # numbers of rows of any length that are read or coded at a time: 32 MB as float32

ScoresAndRows = tuple[np.ndarray, np.ndarray]
"""Scores (n, k) and rows (n, k) of n queries, best first."""


def with_ties(scan: Callable[[int], ScoresAndRows], k: int, blank: np.ndarray, total: int) -> ScoresAndRows:
    """FAISS's best rows, as many as it takes for every row that scores what the k-th hit does to be among them.

    Of equal rows FAISS keeps whichever it met, which depends on how many were asked for and on where rows are cut
    among cores.

    Args:
        scan: as many best rows as it is told, best first: scores and rows.
        blank: rows that are no hits; their score is -inf. total: of rows there are.
    """
    wanted = min(k + len(blank) + 1, total)
    while True:
        scores, rows = scan(wanted)
        hits = hits_only(scores, rows, blank)
        if wanted == total or (scores[:, -1] < np.partition(hits, -k, axis=1)[:, -k]).all():
            return hits, rows
        wanted = min(8 * wanted, total)


def hits_only(scores: np.ndarray, rows: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """The scores, -inf where there is no row or a blank one."""
    hidden = rows < 0
    if len(blank):
        hidden |= np.isin(rows, blank)
    return np.where(hidden, -np.inf, scores)


def ranked(scores: np.ndarray, rows: np.ndarray, k: int, scale: float, opponents: bool) -> ScoresAndRows:
    """Candidates (n, c) cut to the k best, ties by row, as `Search.search` returns them."""
    order = (np.arange(len(rows))[:, None], np.lexsort((rows, -scores), axis=1)[:, :k])
    scores = scores[order]
    rows = np.where(np.isfinite(scores), rows[order], -1)
    missing = k - rows.shape[1]
    if missing > 0:
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
        rows = np.pad(rows, ((0, 0), (0, missing)), constant_values=-1)
    return (-scores if opponents else scores).astype(np.float32) * np.float32(scale), rows.astype(np.int64)


@dataclass
class BestRows:
    """The best rows so far of every query, on one side: scores and rows (queries, ≤ k)."""

    k: int
    scores: np.ndarray
    rows: np.ndarray

    @classmethod
    def empty(cls, queries: int, k: int) -> Self:
        """Of so many queries, before anything passed."""
        return cls(k, np.full((queries, 0), -np.inf, np.float32), np.zeros((queries, 0), np.int64))

    def offer(self, scores: np.ndarray, start: int) -> None:
        """Scores (queries, m) of the rows from `start` on; -inf where a row is no hit."""
        rows = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        merged = np.concatenate([self.scores, scores], 1), np.concatenate([self.rows, rows], 1)
        self.scores, self.rows = ranked(*merged, self.k, 1.0, opponents=False)
