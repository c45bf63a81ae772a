"""The exact search with GPU FAISS: float16 rows in flat indexes, shared out among the devices there are."""

from typing import Any

import numpy as np

from app.retrieval.faiss_package import faiss
from app.retrieval.ranking import ScoresAndRows, ranked, with_ties
from app.trackstar.index import TrackstarIndex

MOST = 2_048  # rows that GPU FAISS can be asked for
WORKSPACE = (
    256 << 20
)  # bytes of a device that FAISS may use beside the rows; its own choice is a fifth of the device
PIECE = 1 << 25  # numbers that go to a device at a time, as float32


def gpus() -> int:
    """How many devices FAISS sees; none with the package for processors."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


class GpuSearch:
    """Every device holds a part of the rows; a query goes to all."""

    kind = "exact"

    def __init__(self, index: TrackstarIndex) -> None:
        manifest = index.manifest
        self._scale = 1.0 / manifest.row_scale
        self._blank = np.asarray(manifest.zero_rows, dtype=np.int64)
        self._most = min(manifest.passages, MOST)
        self._resources: list[Any] = []  # they live as long as what they serve
        # A thread for each part; rows are counted on from part to part.
        self._rows: Any = faiss.IndexShards(manifest.dimension, True, True)  # type: ignore[call-arg]  # SWIG takes what its stub leaves out
        step = max(1, PIECE // manifest.dimension)
        for device, rows in enumerate(np.array_split(np.arange(manifest.passages), gpus())):
            part = self._part(device, manifest.dimension)
            for at in range(0, len(rows), step):
                part.add(index.take(rows[at : at + step]))
            self._rows.add_shard(part)

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `app.retrieval.search.Search.search`."""
        asked = np.ascontiguousarray(-queries if opponents else queries, dtype=np.float32)
        scores, rows = with_ties(lambda wanted: self._rows.search(asked, wanted), k, self._blank, self._most)
        return ranked(scores, rows, k, self._scale, opponents)

    def _part(self, device: int, dimension: int) -> Any:
        resources = faiss.StandardGpuResources()
        resources.setTempMemory(WORKSPACE)
        self._resources.append(resources)
        config = faiss.GpuIndexFlatConfig()
        config.device, config.useFloat16 = device, True
        return faiss.GpuIndexFlatIP(resources, dimension, config)
