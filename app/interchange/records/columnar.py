"""Tables with types: Parquet, Arrow and Feather files, a batch of rows at a time."""

import io
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.errors import UserError
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import deep, too_deep, too_many_fields
from app.interchange.records.line import Line
from app.interchange.records.streams import too_long

ROWS = 1024
_READ = 64 << 20  # bytes that the longest text of a dictionary may take in all rows read at once
_AT_ONCE = 4 << 20  # bytes of a table made into records at once: as such they take several times the room
JSON = b"startrail.json"  # in a column's metadata: its texts are JSON, as our own exports write what has no one type
EXTRA = "extra"  # such a column, of the fields that the results format does not know


def read_parquet(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of a Parquet file.

    Raises:
        UserError: it is damaged.
    """
    with _seekable(stream, name) as file, _damage(name, "Parquet"), pq.ParquetFile(file) as table:
        at_once = _rows_at_once(table.metadata, file, name, bounds)
        size = file.seek(0, io.SEEK_END)
        yield from _rows(table.iter_batches(batch_size=at_once), name, bounds, size)


def read_arrow(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of an Arrow (Feather) file."""
    with _seekable(stream, name) as file, _damage(name, "Arrow"), pa.ipc.open_file(file) as table:
        size = file.seek(0, io.SEEK_END)
        yield from _rows(map(table.get_batch, range(table.num_record_batches)), name, bounds, size)


def read_arrow_stream(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of an Arrow stream, as `datasets` saves them."""
    with _damage(name, "Arrow"), pa.ipc.open_stream(pa.PythonFile(stream, mode="r")) as table:
        yield from _rows(table, name, bounds)


def as_json(value: Any) -> Any:
    """A value of a table as JSON has it: dates and the like as text, what is no number as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return str(value)


def _rows(batches: Any, name: str | Path, bounds: Bounds, size: int | None = None) -> Iterator[Line]:
    """The rows of batches; `size` is that of the file, in bytes, where it is known."""
    number, given = 0, 0
    for batch in batches:
        if batch.num_columns > bounds.fields:
            raise too_many_fields(name, 1, bounds)
        marked = [field.name for field in batch.schema if JSON in (field.metadata or {})]
        for piece, bytes_ in _pieces(batch):
            if piece.num_rows == 1 and bytes_ > bounds.line:
                raise too_long(name, number + 1, bounds, "row")
            given += bytes_
            if size is not None and given > bounds.free and given > bounds.ratio * size:
                raise _too_much(name, bounds)
            for row in piece.to_pylist():
                number += 1
                if (field := deep(row, bounds.depth)) is not None:
                    raise too_deep(name, number, bounds, field)
                record = {column: as_json(value) for column, value in row.items()}
                yield Line(name, number, _spread(record, marked) if marked else record)


def _rows_at_once(metadata: Any, file: Any, name: str | Path, bounds: Bounds) -> int:
    """How many rows of a Parquet file are read at once: a text that stands in a dictionary once may be in every row.

    Raises:
        UserError: its columns are many times larger than what stands in the file.
    """
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    columns = [group.column(at) for group in groups for at in range(group.num_columns)]
    size, packed, longest = 0, 0, 1
    for column in columns:
        size += column.total_uncompressed_size
        packed += column.total_compressed_size
        if column.has_dictionary_page:
            longest = max(longest, _dictionary_size(file, column.dictionary_page_offset))
    if size > bounds.free and size > bounds.ratio * packed:
        raise _too_much(name, bounds)
    return min(ROWS, max(1, _READ // longest))


def _too_much(name: str | Path, bounds: Bounds) -> UserError:
    return UserError(
        f"More than {bounds.ratio} bytes come out of the file for each that is in it.",
        file=name,
        remedy="If it is a file that you trust, write it again as JSON Lines.",
    )


def _dictionary_size(file: Any, offset: int) -> int:
    """Bytes of a Parquet dictionary, decompressed, out of its page's header (Thrift's compact protocol: the page's kind as
    field 1, its size as field 2, both zigzag numbers of seven bits a byte)."""
    file.seek(offset)
    head = file.read(16)
    if head[:1] != b"\x15" or head[2:3] != b"\x15":
        raise pa.ArrowInvalid("a column's dictionary has no header")
    number = 0
    for place, byte in enumerate(head[3:8]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return number >> 1


def _pieces(batch: Any) -> Iterator[tuple[Any, int]]:
    """Parts of a batch, in order, each small enough to be made into records, or of one row; and how many bytes it is."""
    waiting = [batch.slice(start, ROWS) for start in range(0, batch.num_rows, ROWS)][::-1]
    while waiting:
        piece = waiting.pop()
        size = _spelled_out(piece)
        if piece.num_rows > 1 and size > _AT_ONCE:
            half = piece.num_rows // 2
            waiting += [piece.slice(half), piece.slice(0, half)]
        else:
            yield piece, size


def _spelled_out(values: Any) -> int:
    """Bytes of an array or batch once each value stands where a dictionary has it once, lists and structures too."""
    if isinstance(values, pa.RecordBatch):
        return sum(map(_spelled_out, values.columns))
    if isinstance(values, pa.DictionaryArray):
        lengths = pc.binary_length(values.dictionary) if _is_text(values.dictionary.type) else None
        if lengths is None:
            return len(values) * _spelled_out(values.dictionary)
        return pc.sum(pc.take(lengths, values.indices)).as_py() or 0
    if isinstance(values, pa.StructArray):
        return sum(map(_spelled_out, values.flatten()))
    if pa.types.is_nested(values.type) and hasattr(values, "flatten"):
        return values.nbytes - values.values.nbytes + _spelled_out(values.flatten())
    return values.nbytes


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_(kind)
        for is_ in (
            pa.types.is_string,
            pa.types.is_binary,
            pa.types.is_large_string,
            pa.types.is_large_binary,
        )
    )


def _spread(record: dict[str, Any], marked: list[str]) -> dict[str, Any]:
    """A record as it was before we made a row of it: columns of JSON read, `extra` spread out, what is null left out."""
    made = {column: value for column, value in record.items() if value is not None}
    for column in marked:
        if isinstance(made.get(column), str):
            with suppress(ValueError, RecursionError):  # damaged by others: it stays the text that it is
                made[column] = json.loads(made[column])
    extra = made.pop(EXTRA, None)
    return made | extra if isinstance(extra, dict) else made


@contextmanager
def _damage(name: str | Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"The {kind} file is damaged: {error}.", file=name, remedy="Copy it again.") from None


@contextmanager
def _seekable(stream: io.BufferedReader, name: str | Path) -> Iterator[Any]:
    """The file itself where it stands on disk as it is; else a copy of what comes out of the stream."""
    if isinstance(name, Path) and name.is_file() and _same_start(stream, name):
        with pa.memory_map(str(name)) as mapped:
            yield mapped
        return
    with tempfile.TemporaryFile() as copy:
        copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield copy


def _same_start(stream: io.BufferedReader, path: Path) -> bool:
    """Whether the stream is this file, not what was compressed in it."""
    with path.open("rb") as file:
        start = file.read(8)
    return stream.peek(8)[:8] == start
