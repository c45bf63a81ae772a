"""Maximum inner product search over an index's rows: exact by default, smaller and re-ranked on request.

The rows are float16 shards on disk. `exact` keeps them as they are; the smaller kinds keep 8, 4 or fewer bits a
number, take more candidates than asked for and rank those again from the memory-mapped rows, so that the scores
they return are the exact ones.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from app.errors import UserError
from app.files import whole
from app.retrieval.kinds import APPROXIMATE, KINDS, PQ_NUMBERS
from app.retrieval.ranking import CHUNK, ScoresAndRows, hits_only, ranked, with_ties
from app.retrieval.torch_search import TorchSearch
from app.trackstar.index import TrackstarIndex, open_index

log = logging.getLogger(__name__)
PQ_CENTROIDS = 256
GPU_MOST = 2_048  # rows that GPU FAISS can be asked for
TRAIN_ROWS = 20_000  # rows drawn for training a quantiser
THREADS = faiss.omp_get_max_threads()
WORTH_A_THREAD = 1 << 24  # numbers of rows; waking a second core for fewer costs what it saves


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
        """


def open_search(
    index: TrackstarIndex,
    kind: str = "",
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Search:
    """A search over an opened index; on a CUDA device with GPU FAISS where it is there and has the kind, else with torch.

    Quantisers are trained once and kept in the index directory as `search-KIND.faiss`.

    Args:
        kind: of `KINDS`; the one that the manifest names where none is given.

    Raises:
        UserError: the kind is unknown, or cannot be made of these rows.
    """
    kind = kind or index.manifest.search.get("kind", "exact")
    check_kind(kind, index.manifest.dimension)
    if device.startswith("cuda") and (kind in APPROXIMATE or not _faiss_gpus()):
        return TorchSearch(index, device)
    return FaissSearch(index, kind, gpu=device.startswith("cuda"), progress=progress)


def check_kind(kind: str, dimension: int) -> None:
    """Whether there is such a kind, and for rows of so many numbers.

    Raises:
        UserError: there is not.
    """
    if kind not in KINDS:
        raise UserError(f"There is no index kind “{kind}”.", field="index", remedy=f"Use {', '.join(KINDS)}.")
    if kind == "pq" and dimension % PQ_NUMBERS:
        raise UserError(
            f"“pq” takes {PQ_NUMBERS} numbers together, and {dimension:,} cannot be cut so.",
            field="index",
            remedy="Use another kind, or an even --projection-dim of 4 or more.",
        )


def prepare(path: Path, kind: str) -> dict[str, Any]:
    """Make what searching by this kind needs in the index directory `path`, and say what the manifest keeps of it.

    Raises:
        UserError: the kind is unknown, or cannot be made of these rows.
    """
    index = open_index(path)
    check_kind(kind, index.manifest.dimension)
    about = {"kind": kind, "faiss": KINDS[kind].factory(index.manifest.dimension)}
    if kind not in APPROXIMATE:
        return about
    _coded(index, kind, None)
    return about | {"file": _file(path, kind).name}


class FaissSearch:
    """FAISS over the rows of an index, sharded over the GPUs where asked for."""

    def __init__(
        self,
        index: TrackstarIndex,
        kind: str,
        *,
        gpu: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.kind = kind
        self._rows = index.rows
        self._starts = np.cumsum([0, *(len(shard) for shard in index.rows)])
        self._scale = 1.0 / index.manifest.row_scale
        self._blank = np.asarray(index.manifest.zero_rows, dtype=np.int64)
        self._most = int(self._starts[-1])
        if gpu:
            # Of the flat indexes this is the one that is sharded over devices; they keep its numbers as float16.
            options = faiss.GpuMultipleClonerOptions()
            options.shard = True
            options.useFloat16 = kind != "float32"
            empty, codes = _coded(index, "float32", progress)
            self._parts = [(0, faiss.index_cpu_to_all_gpus(_over(empty, codes), options))]
            self._most = min(self._most, GPU_MOST)
        else:
            empty, self._codes = _coded(index, kind, progress)
            cuts = _cuts(index.manifest.passages, index.manifest.dimension)
            self._parts = [(start, _over(empty, self._codes[start:end])) for start, end in pairwise(cuts)]
        self._threads = ThreadPoolExecutor(
            len(self._parts), initializer=faiss.omp_set_num_threads, initargs=(1,)
        )

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `Search.search`."""
        asked = np.ascontiguousarray(-queries if opponents else queries, dtype=np.float32)
        if self.kind in APPROXIMATE:
            _, rows = self._scan(asked, min(max(k + len(self._blank) + 30 * k, 300), self._most))
            scores = np.stack([self._exact(query, own) for query, own in zip(asked, rows, strict=True)])
            scores = hits_only(scores, rows, self._blank)
        else:
            scores, rows = with_ties(lambda wanted: self._scan(asked, wanted), k, self._blank, self._most)
        return ranked(scores, rows, k, self._scale, opponents)

    def _scan(self, asked: np.ndarray, k: int) -> ScoresAndRows:
        """FAISS's k best of the rows, each core searching its part of them.

        FAISS itself shares out queries among cores, never the rows of one query; for a single query its second
        thread would only be waited for, and long where others keep the cores busy.
        """
        if len(self._parts) == 1:
            faiss.omp_set_num_threads(1 if len(asked) == 1 else THREADS)
            best_of_all: ScoresAndRows = self._parts[0][1].search(asked, k)
            return best_of_all
        found_by = list(self._threads.map(lambda part: part[1].search(asked, k), self._parts))
        scores = np.concatenate([scores for scores, _ in found_by], axis=1)
        rows = np.concatenate(
            [
                np.where(rows < 0, rows, rows + start)
                for (start, _), (_, rows) in zip(self._parts, found_by, strict=True)
            ],
            axis=1,
        )
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)

    def _exact(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Inner products (k,) of one query with some rows, from the memory-mapped shards."""
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        found = np.zeros((len(rows), len(query)), dtype=np.float32)
        for shard in np.unique(shards[rows >= 0]):
            held = shards == shard
            found[held] = self._rows[shard][rows[held] - self._starts[shard]]
        return found @ query


def _cuts(total: int, dimension: int) -> list[int]:
    """Where the rows are cut into one part a core; nowhere where a single core is as fast."""
    parts = max(1, min(THREADS, total * dimension // WORTH_A_THREAD))
    return [total * at // parts for at in range(parts + 1)]


def _over(empty: Any, codes: np.ndarray) -> Any:
    """A FAISS index that looks at codes (n, bytes of a row), which the caller keeps, and copies none."""
    view: Any = faiss.MaybeOwnedVectorUInt8()
    view.is_owned, view.view_data, view.view_size = False, faiss.swig_ptr(codes), codes.size
    made: Any = faiss.clone_index(empty)
    made.codes, made.ntotal = view, len(codes)
    return made


def _coded(
    index: TrackstarIndex, kind: str, progress: Callable[[int, int], None] | None
) -> tuple[Any, np.ndarray]:
    """A trained FAISS index without rows, and the codes (n, bytes of a row) of all rows.

    NumPy holds the codes, and not FAISS, because it asks the system for huge pages: a scan is a fifth faster with them.
    """
    file = _file(index.path, kind)
    total, dimension = index.manifest.passages, index.manifest.dimension
    if kind in APPROXIMATE and (kept := _kept(file)) and (kept.ntotal, kept.d) == (total, dimension):
        codes = np.array(faiss.rev_swig_ptr(kept.codes.data(), total * kept.code_size))
        kept.reset()
        return kept, codes.reshape(total, -1)
    empty: Any = faiss.index_factory(dimension, KINDS[kind].factory(dimension), faiss.METRIC_INNER_PRODUCT)
    if kind == "pq" and total < PQ_CENTROIDS:
        raise UserError(
            f"“pq” is trained on {PQ_CENTROIDS} passages or more; there are {total:,}.",
            field="index",
            remedy="Use exact: so few need no smaller index.",
        )
    if not empty.is_trained:
        empty.train(_sample(index))
    codes = np.empty((total, empty.code_size), dtype=np.uint8)
    done = 0
    for shard in index.rows:
        for start in range(0, len(shard), CHUNK):
            piece = np.asarray(shard[start : start + CHUNK], dtype=np.float32)
            empty.sa_encode(piece, codes[done : done + len(piece)])
            done += len(piece)
            if progress:
                progress(done, total)
    if kind in APPROXIMATE:
        _write(_over(empty, codes), file)
    return empty, codes


def _sample(index: TrackstarIndex) -> np.ndarray:
    """Rows (≤ TRAIN_ROWS, d) drawn at random, the same for the same index."""
    total = index.manifest.passages
    return index.take(np.sort(np.random.default_rng(0).permutation(total)[:TRAIN_ROWS]))


def _file(path: Path, kind: str) -> Path:
    return path / f"search-{kind}.faiss"


def _kept(file: Path) -> Any | None:
    """What was trained before; None where it cannot be read, for it can be trained again."""
    try:
        return faiss.read_index(str(file)) if file.is_file() else None
    except RuntimeError:
        return None


def _write(built: Any, file: Path) -> None:
    try:
        with whole(file) as partial:
            faiss.write_index(built, str(partial))
    except (RuntimeError, OSError) as error:  # a read-only or full disk: what was trained serves all the same
        log.warning("What was trained could not be kept in %s: %s", file, str(error).splitlines()[0])


def _faiss_gpus() -> int:
    return int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0
