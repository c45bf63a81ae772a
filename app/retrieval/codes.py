"""Codes of an index's rows: what a small kind scans. Made file by file in the index directory, and kept there.

`INDEX/KIND/` has the trained quantiser, the codes, and a manifest with their checksums and with what was measured: how
many candidates it takes for the ten best to be among them. A kind that would miss too many is refused.
"""

import fcntl
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn
from weakref import finalize

import numpy as np

from app.digests import file_sha256
from app.errors import UserError
from app.files import put, whole, write_json
from app.retrieval.faiss_package import faiss
from app.retrieval.kinds import IndexKind
from app.retrieval.recall import Recall, measured
from app.retrieval.scan import THREADS
from app.trackstar.checksums import Checksums, damaged
from app.trackstar.index import TrackstarIndex
from app.trackstar.manifest import Shard
from app.trackstar.rows import MappedRows
from app.trackstar.shards import drop_notes, keep_rows, whole_shard

log = logging.getLogger(__name__)
FILE, QUANTISER = "manifest.json", "quantiser.faiss"
TRAIN_ROWS = 20_000  # rows drawn for training a quantiser
FILE_BYTES = (
    1 << 28
)  # of codes in a file: a scan of fewer finds its threshold too late, and looks closely at too many
PIECE = 1 << 23  # numbers coded at a time


@dataclass(frozen=True)
class CodesManifest:
    """What stands in a kind's directory.

    Args:
        rows_sha256: of the rows that were coded.
        width: bytes of a code.
        candidates: to be ranked again, for the ten best of a query to be among them.
        recall: of these ten, as it was measured.
    """

    kind: str
    faiss: str
    rows_sha256: str
    width: int
    candidates: int
    recall: float
    shards: list[Shard]
    files: dict[str, str]


@dataclass(frozen=True)
class Codes:
    """Codes that can be scanned, with what tells how.

    Args:
        file: the manifest. empty: the trained FAISS index, without codes.
    """

    file: Path
    manifest: CodesManifest
    empty: Any
    rows: MappedRows

    @property
    def kind(self) -> str:
        """Its name."""
        return self.manifest.kind

    @property
    def candidates(self) -> int:
        """To be ranked again."""
        return self.manifest.candidates

    @property
    def about(self) -> dict[str, Any]:
        """What people want to know of it."""
        return {"faiss": self.manifest.faiss, "candidates": self.candidates, "recall": self.manifest.recall}


def open_codes(
    index: TrackstarIndex, kind: IndexKind, progress: Callable[[int, int], None] | None = None
) -> Codes:
    """The codes beside an index; made where there are none, or where rows came since.

    Where nothing can be written beside the index they are made in a temporary directory, which goes with them.

    Raises:
        UserError: they are damaged, or the kind misses too many of the best of these rows.
    """
    place = index.path / kind.name
    lock_file = index.path / f".{kind.name}.lock"
    own = index.manifest.search
    if own.get("kind") == kind.name and "file" in own:
        index.checksums.compare([own["file"]])
    if kept := _kept(place, index):
        return kept
    try:
        with lock_file.open("w") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # another process may be making them: they are there when it is done
            if not (kept := _kept(place, index)):
                _make(index, kind, place, progress)
    except OSError as error:  # a read-only or full disk
        log.warning("The codes could not be kept in %s: %s", place, error)
        return _elsewhere(index, kind, progress)
    finally:
        with suppress(OSError):
            lock_file.unlink()
    return kept or _opened(place, _read(place))


def _elsewhere(index: TrackstarIndex, kind: IndexKind, progress: Callable[[int, int], None] | None) -> Codes:
    directory = Path(tempfile.mkdtemp(prefix="startrail-"))
    try:
        _make(index, kind, place := directory / kind.name, progress)
        codes = _opened(place, _read(place))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    finalize(codes, shutil.rmtree, directory, ignore_errors=True)
    return codes


def kept_codes(index: TrackstarIndex, kind: str) -> Codes | None:
    """The codes of this kind beside an index, if they are there and of its rows.

    Raises:
        UserError: their manifest or quantiser is damaged.
    """
    return _kept(index.path / kind, index)


def _kept(place: Path, index: TrackstarIndex) -> Codes | None:
    """What was made before of these very rows."""
    if not (place / FILE).is_file():
        return None
    manifest = _read(place)
    return _opened(place, manifest) if manifest.rows_sha256 == _rows_sha256(index) else None


def _read(place: Path) -> CodesManifest:
    try:
        values = json.loads((place / FILE).read_text(encoding="utf-8"))
        values["shards"] = [Shard(**shard) for shard in values["shards"]]
        return CodesManifest(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(place / FILE, f"is damaged ({error})") from None


def _opened(place: Path, manifest: CodesManifest) -> Codes:
    checksums = Checksums(place, {shard.file: shard.sha256 for shard in manifest.shards} | manifest.files)
    checksums.compare([QUANTISER])
    empty = faiss.read_index(str(place / QUANTISER))
    rows = MappedRows(place, manifest.shards, manifest.width, checksums, np.uint8)
    return Codes(place / FILE, manifest, empty, rows)


def _make(
    index: TrackstarIndex, kind: IndexKind, place: Path, progress: Callable[[int, int], None] | None
) -> None:
    """Train, code, measure; what a killed process left is gone on with."""
    work = place.with_name(f".{place.name}.building")
    work.mkdir(exist_ok=True)
    empty = _trained(index, kind, work / QUANTISER)
    total, width = index.manifest.passages, int(empty.code_size)
    step = max(1, FILE_BYTES // width)
    shards = []
    for number, start in enumerate(range(0, total, step)):
        file = work / f"codes-{number:05d}.npy"
        end = min(start + step, total)
        written = whole_shard(file)
        if written is None or (written.shard.start, written.shard.rows) != (start, end - start):
            written = keep_rows(file, start, _coded(index, empty, start, end))
        shards.append(written.shard)
        if progress:
            progress(end, total)
    checksums = Checksums(work, {shard.file: shard.sha256 for shard in shards})
    checksums.trust()
    recall = measured(index, empty, MappedRows(work, shards, width, checksums, np.uint8))
    if not recall.enough:
        shutil.rmtree(work)  # asked again, it would end here again
        _refuse(kind, recall)
    manifest = CodesManifest(
        kind=kind.name,
        faiss=type(empty).__name__,
        rows_sha256=_rows_sha256(index),
        width=width,
        candidates=recall.candidates,
        recall=recall.of_ten,
        shards=shards,
        files={QUANTISER: file_sha256(work / QUANTISER)},
    )
    write_json(work / FILE, asdict(manifest))
    drop_notes(work)
    put(work, place)
    Checksums(place, checksums.wanted | manifest.files).remember()


def _refuse(kind: IndexKind, recall: Recall) -> NoReturn:
    raise UserError(
        f"“{kind.name}” finds {recall.of_ten:.3f} of the ten best of these rows among {recall.candidates:,} candidates.",
        field="index",
        remedy="Use a kind of more bits, or exact.",
    )


def _trained(index: TrackstarIndex, kind: IndexKind, file: Path) -> Any:
    """The quantiser: the one that is there, or trained on rows drawn at random, the same for the same index."""
    if not file.is_file():
        assert kind.coding
        empty = kind.coding(index.manifest.dimension)
        drawn = np.random.default_rng(0).permutation(index.manifest.passages)[:TRAIN_ROWS]
        empty.train(index.take(np.sort(drawn)))
        with whole(file) as partial:
            faiss.write_index(empty, str(partial))
    return faiss.read_index(str(file))


def _coded(index: TrackstarIndex, empty: Any, start: int, end: int) -> np.ndarray:
    """Codes (end - start, bytes of a code) of these rows."""
    codes = np.empty((end - start, empty.code_size), dtype=np.uint8)
    step = max(1, PIECE // index.manifest.dimension)
    faiss.omp_set_num_threads(THREADS)
    for at in range(start, end, step):
        piece = index.take(np.arange(at, min(at + step, end)))
        empty.sa_encode(piece, codes[at - start : at - start + len(piece)])
    return codes


def _rows_sha256(index: TrackstarIndex) -> str:
    """What tells these rows from others: the checksums of their files."""
    return hashlib.sha256("".join(shard.sha256 for shard in index.manifest.shards).encode()).hexdigest()
