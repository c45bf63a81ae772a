"""FAISS over codes that lie in memory-mapped files: nothing is copied, and the cores share the rows of one query.

FAISS itself shares out queries among cores, never the rows of one query; for a single query its second thread would only
be waited for, and long where others keep the cores busy.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from app.retrieval.faiss_package import faiss
from app.retrieval.ranking import ScoresAndRows
from app.trackstar.rows import MappedRows

THREADS = faiss.omp_get_max_threads()
WORTH_A_THREAD = 1 << 25  # bytes of rows; waking a second core for fewer costs what it saves
CODE_BYTE = 8  # bytes of a row in the time that a byte of a code takes, whose bits are looked at one by one
KEPT = 4_096  # candidates of a query that a core collects at least before it drops all but the best
TOGETHER = 1 << 26  # bytes of codes of scattered rows that are copied to be scanned as one

Scan = Callable[[np.ndarray, int], ScoresAndRows]
"""So many best rows of queries (n, d), by their codes."""


class CodeScan:
    """The best of all rows by what a FAISS index makes of their codes.

    Args:
        empty: a trained index of flat codes, without rows.
        codes: what lies in the files is what the index would keep.
    """

    def __init__(self, empty: Any, codes: MappedRows) -> None:
        self._empty, self._codes = empty, codes
        self._total = int(codes.starts[-1])
        cuts = _cuts(self._total, codes)
        self._parts = list(pairwise(cuts))
        self._threads = ThreadPoolExecutor(
            len(self._parts), initializer=faiss.omp_set_num_threads, initargs=(1,)
        )

    def best(self, asked: np.ndarray, k: int) -> ScoresAndRows:
        """FAISS's k best rows of each query (n, d), best first; of equal rows any.

        Raises:
            UserError: a file of codes is damaged; it is named.
        """
        self._codes.check()
        if len(self._parts) == 1:
            faiss.omp_set_num_threads(1 if len(asked) == 1 else THREADS)
            return self._best_of(self._parts[0], asked, k)
        return _cut(list(self._threads.map(lambda part: self._best_of(part, asked, k), self._parts)), k)

    def best_within(self, stretches: Sequence[tuple[int, int]], asked: np.ndarray, k: int) -> ScoresAndRows:
        """As `best`, of the rows in these stretches alone, each from one to before another.

        Their codes are brought together, some megabytes at a time: FAISS looks closely at whatever is among the k best
        so far, and would at nearly all of a short stretch.

        Raises:
            UserError: a file of codes is damaged; it is named.
        """
        self._codes.check()
        rows = sum(high - low for low, high in stretches)
        parts = min(len(_cuts(rows, self._codes)) - 1, len(stretches))
        shares = [stretches[number::parts] for number in range(parts)]
        if parts == 1:
            faiss.omp_set_num_threads(1)
            return self._best_among(shares[0], asked, k)
        return _cut(list(self._threads.map(lambda share: self._best_among(share, asked, k), shares)), k)

    def _best_among(self, stretches: Sequence[tuple[int, int]], asked: np.ndarray, k: int) -> ScoresAndRows:
        over = CodesInPlace(self._empty)
        most = max(1, TOGETHER // (self._codes.width * self._codes.dtype.itemsize))
        found: list[ScoresAndRows] = []
        held: list[tuple[int, np.ndarray]] = []

        def look() -> None:
            scores, rows = over.search(np.concatenate([codes for _, codes in held]), asked, k)
            places = np.concatenate([np.arange(start, start + len(codes)) for start, codes in held])
            found[:] = [_cut([*found, (scores, np.where(rows < 0, rows, places[rows]))], k)]
            held.clear()

        for stretch in stretches:
            for piece in self._pieces(*stretch):
                if held and sum(len(codes) for _, codes in held) + len(piece[1]) > most:
                    look()
                held.append(piece)
        look()
        return found[0]

    def _best_of(self, part: tuple[int, int], asked: np.ndarray, k: int) -> ScoresAndRows:
        """Those of the rows from one to another, file by file."""
        over = CodesInPlace(self._empty)
        found: list[ScoresAndRows] = []
        for start, codes in self._pieces(*part):
            scores, rows = over.search(codes, asked, k)
            found.append((scores, np.where(rows < 0, rows, rows + start)))
            if sum(scores.shape[1] for scores, _ in found) > max(4 * k, KEPT):
                found = [_cut(found, k)]
        return _cut(found, k)

    def _pieces(self, begin: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
        for number, (start, stop) in enumerate(pairwise(self._codes.starts.tolist())):
            if start < end and stop > begin:
                low, high = max(start, begin), min(stop, end)
                yield low, self._codes[number][low - start : high - start]


class CodesInPlace:
    """A FAISS index that looks at codes which the caller keeps, and copies none."""

    def __init__(self, empty: Any) -> None:
        self._index: Any = faiss.clone_index(empty)
        self._view: Any = faiss.MaybeOwnedVectorUInt8()
        self._view.is_owned = False

    def search(self, codes: np.ndarray, asked: np.ndarray, k: int) -> ScoresAndRows:
        """The k best of (m, …) codes for each query, rows counted from the first code; row -1 where there are fewer."""
        flat = codes.view(np.uint8)
        self._view.view_data, self._view.view_size = faiss.swig_ptr(flat), flat.size
        self._index.codes, self._index.ntotal = self._view, len(flat)
        found: ScoresAndRows = self._index.search(asked, min(k, len(flat)))
        return found


def stored_rows(dimension: int) -> Any:
    """FAISS's index of rows as they are stored: float16, products summed in float32."""
    return faiss.index_factory(dimension, "SQfp16", faiss.METRIC_INNER_PRODUCT)


def _cut(found: list[ScoresAndRows], k: int) -> ScoresAndRows:
    """The k best of several findings."""
    if len(found) == 1:
        return found[0]
    scores = np.concatenate([scores for scores, _ in found], axis=1)
    rows = np.concatenate([rows for _, rows in found], axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)


def _cuts(total: int, codes: MappedRows) -> list[int]:
    """Where so many of them are cut into one part a core; nowhere where a single core is as fast."""
    row_bytes = codes.width * (CODE_BYTE if codes.dtype == np.uint8 else codes.dtype.itemsize)
    parts = max(1, min(THREADS, total * row_bytes // WORTH_A_THREAD))
    return [total * at // parts for at in range(parts + 1)]
