"""Maximum inner product search over an index's rows: exact by default, by smaller codes and re-ranked on request.

The rows are float16 files on disk, and are searched where they lie. A smaller kind scans codes of a bit or two a number,
takes more candidates than asked for, and ranks those again by the rows, so that the scores it returns are the exact ones,
bit for bit. Where codes are in lists, proponents are looked for in some of them, and `part_of` says so.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from app.digests import file_sha256
from app.retrieval.codes import Codes, open_codes
from app.retrieval.gpu_search import GpuSearch, gpus
from app.retrieval.kinds import kind_of
from app.retrieval.lists import Questions
from app.retrieval.ranking import PIECE, ScoresAndRows, hits_only, ranked, with_ties
from app.retrieval.scan import CodeScan, CodesInPlace, stored_rows
from app.retrieval.torch_search import TorchSearch
from app.trackstar.index import TrackstarIndex, open_index
from app.words.partial import SearchedPart

MORE = 4  # candidates for each row that is asked for, where many are


class Search(Protocol):
    """Finds rows by inner product."""

    kind: str

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """The k best rows of each query.

        Args:
            queries: (n, d) float32, from the index's encoder.
            opponents: the most negative inner products instead of the highest.

        Returns:
            Scores (n, k) float32 and rows (n, k) int64, best first, ties by row. Where there are fewer than k rows
            that can be hits, the rest is row -1.

        Raises:
            UserError: a file that has to be looked at is damaged; it is named.
        """


def open_search(
    index: TrackstarIndex,
    kind: str = "",
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Search:
    """A search over an opened index. On a CUDA device the exact kind is searched there, with GPU FAISS or else torch.

    Codes that are not there yet are made, and kept in the index directory.

    Args:
        kind: of `KINDS`; the one that the manifest names where none is given.

    Raises:
        UserError: the kind is unknown, or cannot be made of these rows.
    """
    chosen = kind_of(kind or index.manifest.search.get("kind", "exact"))
    if chosen.coding:
        return CodedSearch(index, open_codes(index, chosen, progress))
    if device.startswith("cuda"):
        return GpuSearch(index) if gpus() else TorchSearch(index, device)
    return ExactSearch(index)


def part_of(search: Search) -> SearchedPart | None:
    """What part of the rows a search looks at for proponents; None: all."""
    return search.part if isinstance(search, CodedSearch) else None


def prepare(path: Path, kind: str, questions: Questions | None = None) -> dict[str, Any]:
    """Make what searching by this kind needs in the index directory `path`, and say what the manifest keeps of it.

    Args:
        questions: what lists are measured with.

    Raises:
        UserError: the kind is unknown, or finds too few of the best of these rows.
    """
    chosen = kind_of(kind)
    if not chosen.coding:
        return {"kind": kind}
    codes = open_codes(open_index(path), chosen, questions=questions)
    file = codes.file.relative_to(path)
    return {"kind": kind, **codes.about, "file": str(file), "sha256": file_sha256(codes.file)}


class ExactSearch:
    """All rows, where they lie."""

    kind = "exact"

    def __init__(self, index: TrackstarIndex) -> None:
        self._scan = CodeScan(stored_rows(index.manifest.dimension), index.rows)
        self._scale = 1.0 / index.manifest.row_scale
        self._blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)
        self._most = index.manifest.passages

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `Search.search`."""
        asked = np.ascontiguousarray(-queries if opponents else queries, dtype=np.float32)
        scores, rows = with_ties(lambda wanted: self._scan.best(asked, wanted), k, self._blank, self._most)
        return ranked(scores, rows, k, self._scale, opponents)


class CodedSearch:
    """Candidates by their codes, ranked by their rows."""

    def __init__(self, index: TrackstarIndex, codes: Codes) -> None:
        self.kind, self.part = codes.kind, codes.manifest.part
        self._index, self._codes = index, codes
        self._scans = codes.scans()
        self._stored: Any = stored_rows(index.manifest.dimension)
        self._scale = 1.0 / index.manifest.row_scale
        self._blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `Search.search`; of the k best a few may be missed."""
        asked = np.ascontiguousarray(-queries if opponents else queries, dtype=np.float32)
        # A blank row's code says nothing of it: it may stand among the candidates.
        wanted = max(self._codes.candidates, MORE * k) + min(len(self._blank), k)
        scan = self._scans[opponents]
        _, candidates = scan(asked, min(wanted, self._index.manifest.passages))
        own = [np.sort(rows[rows >= 0]) for rows in candidates]
        scores, rows = self._scored(asked, own)
        return ranked(hits_only(scores, rows, self._blank), rows, k, self._scale, opponents)

    def _scored(self, asked: np.ndarray, own: list[np.ndarray]) -> ScoresAndRows:
        """The candidates of each query, ascending, by their stored rows: each is read once, whichever query wants it, and some
        megabytes are held at a time."""
        needed = np.unique(np.concatenate(own))
        step = max(1, PIECE // self._index.manifest.dimension)
        scores = np.full((len(asked), max(map(len, own))), -np.inf, dtype=np.float32)
        rows = np.full(scores.shape, -1, dtype=np.int64)
        over = CodesInPlace(self._stored)
        for some in np.split(needed, range(step, len(needed), step)):
            stored = self._index.rows.take(some)
            for at, mine in enumerate(own):
                first, last = np.searchsorted(mine, (some[0], some[-1] + 1))
                if first < last:
                    wanted = mine[first:last]
                    found, places = over.search(
                        stored[np.searchsorted(some, wanted)], asked[at : at + 1], len(wanted)
                    )
                    scores[at, first:last], rows[at, first:last] = found[0], wanted[places[0]]
        return scores, rows
