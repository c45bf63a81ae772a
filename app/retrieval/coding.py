"""The quantiser of an index's rows, and the codes that it makes of them."""

from pathlib import Path
from typing import Any

import numpy as np

from app.files import whole
from app.retrieval.faiss_package import faiss
from app.retrieval.kinds import IndexKind
from app.retrieval.ranking import PIECE
from app.retrieval.scan import THREADS
from app.trackstar.index import TrackstarIndex

TRAIN_ROWS = 20_000  # rows drawn for training a quantiser


def trained(index: TrackstarIndex, kind: IndexKind, file: Path) -> Any:
    """The quantiser: the one that is there, or trained on rows drawn at random, the same for the same index."""
    if not file.is_file():
        assert kind.coding
        empty = kind.coding(index.manifest.dimension)
        drawn = np.random.default_rng(0).permutation(index.manifest.passages)[:TRAIN_ROWS]
        empty.train(index.take(np.sort(drawn)))
        with whole(file) as partial:
            faiss.write_index(empty, str(partial))
    return faiss.read_index(str(file))


def coded(index: TrackstarIndex, empty: Any, rows: np.ndarray) -> np.ndarray:
    """Codes (m, bytes of a code) of rows (m,), in any order."""
    codes = np.empty((len(rows), empty.code_size), dtype=np.uint8)
    step = max(1, PIECE // index.manifest.dimension)
    faiss.omp_set_num_threads(THREADS)
    for at in range(0, len(rows), step):
        some = rows[at : at + step]
        ascending = np.sort(some)
        piece = index.take(ascending)[np.searchsorted(ascending, some)]
        empty.sa_encode(piece, codes[at : at + len(piece)])
    return codes
