"""Codes of an index's rows: what a small kind scans. Made file by file in the index directory, and kept there.

`INDEX/KIND/` has the trained quantiser, the codes, and a manifest with their checksums and with what was measured: how
many candidates it takes for the ten best to be among them. A kind that would miss too many is refused. Codes in lists
stand in the order of the lists, and beside them what share of the rows it takes (see `lists`).
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
from app.files import put, write_json
from app.retrieval.coding import coded, trained
from app.retrieval.faiss_package import faiss
from app.retrieval.kinds import IndexKind
from app.retrieval.lists import (
    FILES,
    MOST,
    Lists,
    ListScan,
    Questions,
    curve_of,
    make_lists,
    questions_in,
    read_lists,
)
from app.retrieval.recall import Recall, both_ways, measured, rows_asked
from app.retrieval.scan import CodeScan, Scan
from app.trackstar.checksums import Checksums, damaged
from app.trackstar.index import TrackstarIndex
from app.trackstar.manifest import Shard
from app.trackstar.rows import MappedRows
from app.trackstar.shards import drop_notes, keep_rows, whole_shard
from app.words.partial import SearchedPart

log = logging.getLogger(__name__)
FILE, QUANTISER = "manifest.json", "quantiser.faiss"
FILE_BYTES = (
    1 << 28
)  # of codes in a file: a scan of fewer finds its threshold too late, and looks closely at too many


@dataclass(frozen=True)
class CodesManifest:
    """What stands in a kind's directory.

    Args:
        rows_sha256: of the rows that were coded.
        width: bytes of a code.
        candidates: to be ranked again, for the ten best of a query to be among them.
        recall: of these ten, as it was measured.
        part: what of the rows is looked at; None: all. Its recall is then the kind's.
    """

    kind: str
    faiss: str
    rows_sha256: str
    width: int
    candidates: int
    recall: float
    shards: list[Shard]
    files: dict[str, str]
    part: SearchedPart | None = None


@dataclass(frozen=True)
class Codes:
    """Codes that can be scanned, with what tells how.

    Args:
        file: the manifest. empty: the trained FAISS index, without codes.
        lists: whose order the codes stand in; None: they stand in the order of the rows.
    """

    file: Path
    manifest: CodesManifest
    empty: Any
    rows: MappedRows
    lists: Lists | None = None

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
        manifest = self.manifest
        part = {"part": asdict(manifest.part)} if manifest.part else {}
        return {"faiss": manifest.faiss, "candidates": self.candidates, "recall": manifest.recall} | part

    def scans(self) -> tuple[Scan, Scan]:
        """What finds candidates by them: for proponents, and for opponents."""
        scan = CodeScan(self.empty, self.rows)
        if self.lists is None or self.manifest.part is None:
            return scan.best, scan.best
        lists = ListScan(self.lists, scan, self.manifest.part.lists)
        return lists.best, lists.best_of_all


def open_codes(
    index: TrackstarIndex,
    kind: IndexKind,
    progress: Callable[[int, int], None] | None = None,
    questions: Questions | None = None,
) -> Codes:
    """The codes beside an index; made where there are none, or where rows came since.

    Where nothing can be written beside the index they are made in a temporary directory, which goes with them.

    Args:
        questions: what lists are measured with; where they are given, lists are made anew.

    Raises:
        UserError: they are damaged, the kind misses too many of the best of these rows, or lists would have to be made
            and no questions are given.
    """
    place = index.path / kind.name
    lock_file = index.path / f".{kind.name}.lock"
    own = index.manifest.search
    if own.get("kind") == kind.name and "file" in own:
        index.checksums.compare([own["file"]])
    if not questions and (kept := _kept(place, index)):
        return kept
    try:
        with lock_file.open("w") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_EX
            )  # another process may be making them: they are there when it is done
            if questions or not _kept(place, index):
                _make(index, kind, place, progress, questions)
    except OSError as error:  # a read-only or full disk
        log.warning("The codes could not be kept in %s: %s", place, error)
        return _elsewhere(index, kind, progress, questions)
    finally:
        with suppress(OSError):
            lock_file.unlink()
    return _opened(place, _read(place))


def _elsewhere(
    index: TrackstarIndex,
    kind: IndexKind,
    progress: Callable[[int, int], None] | None,
    questions: Questions | None,
) -> Codes:
    directory = Path(tempfile.mkdtemp(prefix="startrail-"))
    try:
        _make(index, kind, place := directory / kind.name, progress, questions)
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
    return _opened(place, manifest) if manifest.rows_sha256 == rows_sha256(index) else None


def _read(place: Path) -> CodesManifest:
    try:
        values = json.loads((place / FILE).read_text(encoding="utf-8"))
        values["shards"] = [Shard(**shard) for shard in values["shards"]]
        values["part"] = SearchedPart(**values["part"]) if values.get("part") else None
        return CodesManifest(**values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(place / FILE, f"is damaged ({error})") from None


def _opened(place: Path, manifest: CodesManifest) -> Codes:
    checksums = Checksums(place, {shard.file: shard.sha256 for shard in manifest.shards} | manifest.files)
    checksums.compare(manifest.files)
    empty = faiss.read_index(str(place / QUANTISER))
    rows = MappedRows(place, manifest.shards, manifest.width, checksums, np.uint8)
    return Codes(place / FILE, manifest, empty, rows, read_lists(place) if manifest.part else None)


def _make(
    index: TrackstarIndex,
    kind: IndexKind,
    place: Path,
    progress: Callable[[int, int], None] | None,
    questions: Questions | None,
) -> None:
    """Train, code, measure; what a killed process left is gone on with."""
    work = place.with_name(f".{place.name}.building")
    lists = make_lists(index, work, questions) if kind.in_lists else None
    work.mkdir(exist_ok=True)
    empty = trained(index, kind, work / QUANTISER)
    total = index.manifest.passages if lists is None else len(lists.order)
    width = int(empty.code_size)
    step = max(1, FILE_BYTES // width)
    shards = []
    for number, start in enumerate(range(0, total, step)):
        file = work / f"codes-{number:05d}.npy"
        end = min(start + step, total)
        written = whole_shard(file)
        if written is None or (written.shard.start, written.shard.rows) != (start, end - start):
            rows = np.arange(start, end) if lists is None else lists.order[start:end]
            written = keep_rows(file, start, coded(index, empty, rows))
        shards.append(written.shard)
        if progress:
            progress(end, total)
    checksums = Checksums(work, {shard.file: shard.sha256 for shard in shards})
    checksums.trust()
    scan = CodeScan(empty, MappedRows(work, shards, width, checksums, np.uint8))
    recall, part = _measured(index, scan, lists, work)
    if not recall.enough or (part and part.share > MOST):
        shutil.rmtree(work)  # asked again, it would end here again
        _refuse(kind, recall, part)
    manifest = CodesManifest(
        kind=kind.name,
        faiss=type(empty).__name__,
        rows_sha256=rows_sha256(index),
        width=width,
        candidates=recall.candidates,
        recall=part.recall if part else recall.of_ten,
        shards=shards,
        files={name: file_sha256(work / name) for name in (QUANTISER, *(FILES if lists else ()))},
        part=part,
    )
    write_json(work / FILE, asdict(manifest))
    drop_notes(work)
    put(work, place)
    Checksums(place, checksums.wanted | manifest.files).remember()


def _measured(
    index: TrackstarIndex, scan: CodeScan, lists: Lists | None, work: Path
) -> tuple[Recall, SearchedPart | None]:
    """How many candidates it takes among all rows, and what part of the rows for these to be found."""
    if lists is None:
        return measured(index, scan.best, rows_asked(index)), None
    over, asked = ListScan(lists, scan), both_ways(index, questions_in(work))
    recall = measured(index, over.best_of_all, asked)
    return recall, curve_of(index, lists, asked[0], over, recall.candidates).part if recall.enough else None


def _refuse(kind: IndexKind, recall: Recall, part: SearchedPart | None) -> NoReturn:
    if part:
        raise UserError(
            f"“{kind.name}” has to look at {part.share:.0%} of these rows to find {part.recall:.3f} of the ten best:"
            " they do not fall into groups.",
            field="index",
            remedy="Use rabitq2 or exact, which look at all rows.",
        )
    raise UserError(
        f"“{kind.name}” finds {recall.of_ten:.3f} of the ten best of these rows among {recall.candidates:,} candidates.",
        field="index",
        remedy="Use a kind of more bits, or exact.",
    )


def rows_sha256(index: TrackstarIndex) -> str:
    """What tells these rows from others: the checksums of their files."""
    return hashlib.sha256("".join(shard.sha256 for shard in index.manifest.shards).encode()).hexdigest()
