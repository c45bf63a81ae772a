"""Shards of float16 rows (`encodings-00000.npy`), each written whole or not at all, with its checksum."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from app.digests import file_sha256
from app.files import whole, write_json
from app.trackstar.manifest import Shard

LIMIT = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class WrittenShard:
    """A shard on disk and what there is to tell of its rows (rows counted within the index)."""

    shard: Shard
    zero_rows: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def shard_name(number: int) -> str:
    """`encodings-00000.npy`."""
    return f"encodings-{number:05d}.npy"


def write_shard(
    directory: Path, number: int, start: int, rows: np.ndarray, scale: float, counts: dict[str, int]
) -> WrittenShard:
    """Writes rows (n, d) times `scale` as float16, then a note beside them that says the shard is whole.

    Args:
        start: the index's row of the first of them.
        counts: what the caller counted of these rows; `saturated` is added.
    """
    scaled = rows * np.float32(scale)
    saturated = int((np.abs(scaled) > LIMIT).any(axis=1).sum())
    half = np.clip(scaled, -LIMIT, LIMIT).astype(np.float16)
    # A row that became zero only by the cast is as useless as one that was.
    zero = [start + int(row) for row in np.flatnonzero(~half.any(axis=1))]
    return keep_rows(directory / shard_name(number), start, half, zero, {**counts, "saturated": saturated})


def keep_rows(
    file: Path,
    start: int,
    rows: np.ndarray,
    zero_rows: Sequence[int] = (),
    counts: Mapping[str, int] | None = None,
) -> WrittenShard:
    """Writes rows (n, …) as they are, then a note beside them that says the file is whole."""
    with whole(file) as partial:
        with partial.open("wb") as stream:
            np.save(stream, rows)
        shard = Shard(file.name, start, len(rows), file_sha256(partial))
    written = WrittenShard(shard, list(zero_rows), dict(counts or {}))
    write_json(_note(file), asdict(written))
    return written


def whole_shard(file: Path) -> WrittenShard | None:
    """The shard of an earlier, interrupted build, if it is there with its note and its checksum holds."""
    note = _note(file)
    if not (file.is_file() and note.is_file()):
        return None
    values = json.loads(note.read_text(encoding="utf-8"))
    written = WrittenShard(Shard(**values["shard"]), values["zero_rows"], values["counts"])
    return written if file_sha256(file) == written.shard.sha256 else None


def drop_notes(directory: Path) -> None:
    """Removes the notes of a finished build; the manifest has it all."""
    for rows in directory.glob("*-*.npy"):
        drop_note(rows)


def drop_note(file: Path) -> None:
    """Removes the note beside a file of rows."""
    _note(file).unlink(missing_ok=True)


def _note(file: Path) -> Path:
    return file.with_suffix(".json")
