"""An index of given rows on disk, without the model that nobody asks: for tests of searching."""

from pathlib import Path

import numpy as np

from app.trackstar.config import EncodingConfig
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.manifest import ContentIdentity, IndexManifest
from app.trackstar.shards import drop_notes, write_shard


def index_of(
    path: Path,
    rows: np.ndarray,
    *,
    scale: float = 1.0,
    shard: int = 400,
    method: EncodingConfig | None = None,
) -> TrackstarIndex:
    """An index of rows (n, d), so many in a file; blank rows are known as such."""
    path.mkdir(parents=True, exist_ok=True)
    written = [
        write_shard(path, number, start, rows[start : start + shard], scale, {})
        for number, start in enumerate(range(0, len(rows), shard))
    ]
    drop_notes(path)
    IndexManifest(
        model=ContentIdentity("m", "0"),
        corpus=ContentIdentity("c", "0"),
        method=method or EncodingConfig(groups=1, projection_dim=4),
        dimension=rows.shape[1],
        second_moments=None,
        hessian=None,
        row_scale=scale,
        counts={"passages": len(rows)},
        zero_rows=[row for each in written for row in each.zero_rows],
        shards=[each.shard for each in written],
        files={},
        build={},
    ).write(path)
    return open_index(path)
