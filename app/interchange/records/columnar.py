"""Tables with types: Parquet, Arrow and Feather files, a batch of rows at a time."""

import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.errors import UserError
from app.interchange.records.arrow_claims import claimed
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import deep, too_deep, too_many_fields
from app.interchange.records.line import Line
from app.interchange.records.not_numbers import Numbers, known
from app.interchange.records.parquet_pages import pages
from app.interchange.records.streams import too_long

ROWS = 1024
_READ = 64 << 20  # bytes that the longest text of a dictionary may take in all rows read at once
_PAGE = 256 << 20  # bytes of a page of Parquet: it is decompressed whole
_LISTED = 64 << 20  # values of lists in one page, which may all be one row's
_POINTER = 8  # bytes that a value of a list takes at least
_STREAM_AT = 8  # bytes before the stream in a file
_AT_ONCE = 4 << 20  # bytes of a table made into records at once: as such they take several times the room
JSON = b"startrail.json"  # in a column's metadata: its texts are JSON, as our own exports write what has no one type
EXTRA = "extra"  # such a column, of the fields that the results format does not know


def read_parquet(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of a Parquet file.

    Raises:
        UserError: it is damaged, or asks for much more memory than it has bytes.
    """
    with _seekable(stream, name) as file, _damage(name, "Parquet"):
        with pq.ParquetFile(file) as table:
            at_once = _rows_at_once(table, file, name, bounds)
            listed = _listed_texts(table.schema)
        size = file.seek(0, io.SEEK_END)
        with pq.ParquetFile(file, read_dictionary=listed) as table:
            number = 0
            for line in _rows(table.iter_batches(batch_size=at_once), name, bounds, size):
                yield line
                number += 1
            if number != table.metadata.num_rows:
                raise pa.ArrowInvalid(f"it has {number:,} rows and says {table.metadata.num_rows:,}")


def read_arrow(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of an Arrow (Feather) file. It is the stream with a list of places behind it, and is read as that: what is
    checked is then what is read.

    Raises:
        UserError: it is damaged, or asks for much more memory than it has bytes.
    """
    yield from _arrow(stream, name, bounds, _STREAM_AT)


def read_arrow_stream(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of an Arrow stream, as `datasets` saves them.

    Raises:
        UserError: it is damaged, or asks for much more memory than it has bytes.
    """
    yield from _arrow(stream, name, bounds, 0)


def _arrow(stream: io.BufferedReader, name: str | Path, bounds: Bounds, start: int) -> Iterator[Line]:
    with _seekable(stream, name) as file, _damage(name, "Arrow"):
        size = file.seek(0, io.SEEK_END)
        file.seek(start)
        for message in pa.ipc.MessageReader.open_stream(file):
            if (said := claimed(message)) > bounds.free and said > bounds.ratio * size:
                raise _too_much(name, bounds)
        file.seek(start)
        with pa.ipc.open_stream(file) as table:
            for field in table.schema:
                _readable(field.type, field.name, name)
            yield from _rows(table, name, bounds, size)


def _readable(kind: pa.DataType, column: str, name: str | Path) -> None:
    """Refuse what may stand for the same bytes any number of times, at any depth."""
    if pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind) or _is_view_of_lists(kind):
        raise UserError(
            f"Values of the type {kind} are not read.",
            file=name,
            field=column,
            remedy="Write them as a plain column or list.",
        )
    inner = [kind.storage_type] if isinstance(kind, pa.BaseExtensionType) else []
    if pa.types.is_dictionary(kind):
        inner.append(kind.value_type)
    for each in (*inner, *(kind.field(at).type for at in range(kind.num_fields))):
        _readable(each, column, name)


def _is_view_of_lists(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def _as_json(value: Any, lost: list[float]) -> Any:
    """A value of a table as JSON has it: dates and the like as text, what is no number as null, and put into `lost`."""
    if isinstance(value, float):
        return known(value, lost)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): _as_json(each, lost) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each, lost) for each in value]
    return str(value)


def _rows(batches: Any, name: str | Path, bounds: Bounds, size: int) -> Iterator[Line]:
    """The rows of batches out of a file of `size` bytes."""
    number, given = 0, 0
    for batch in batches:
        batch.validate(full=True)  # a place that lies outside would be read all the same
        if batch.num_columns > bounds.fields:
            raise too_many_fields(name, 1, bounds)
        marked = [field.name for field in batch.schema if JSON in (field.metadata or {})]
        for piece, bytes_ in _pieces(batch):
            if piece.num_rows == 1 and bytes_ > bounds.line:
                raise too_long(name, number + 1, bounds, "row")
            given += bytes_
            if given > bounds.free and given > bounds.ratio * size:
                raise _too_much(name, bounds)
            for row in piece.to_pylist():
                number += 1
                if (field := deep(row, bounds.depth)) is not None:
                    raise too_deep(name, number, bounds, field)
                record, nulls = _record(row)
                yield Line(name, number, _spread(record, marked) if marked else record, nulls=nulls)


def _record(row: dict[str, Any]) -> tuple[dict[str, Any], Counter[str] | None]:
    record, nulls = {}, Counter[str]()
    for column, value in row.items():
        lost: list[float] = []
        record[column] = _as_json(value, lost)
        if lost:
            nulls[column] = len(lost)
    return record, nulls or None


def _rows_at_once(table: pq.ParquetFile, file: Any, name: str | Path, bounds: Bounds) -> int:
    """How many rows of a Parquet file are read at once: a text that stands in it once may be in every row.

    Raises:
        UserError: its columns are many times larger than what stands in the file.
    """
    groups = map(table.metadata.row_group, range(table.metadata.num_row_groups))
    size, packed, longest = 0, 0, 1
    for group in groups:
        for at in range(group.num_columns):
            listed = table.schema.column(at).max_repetition_level > 0
            for page in pages(file, group.column(at)):
                size += max(page.size, _POINTER * page.values if listed else 0)
                packed += page.packed
                if page.size > _PAGE or (listed and (page.prefixed or page.values > _LISTED)):
                    raise _too_large(name, table.schema.column(at).path)
                if not listed and (page.dictionary or page.prefixed):
                    longest = max(longest, page.size)
    if size > bounds.free and size > bounds.ratio * packed:
        raise _too_much(name, bounds)
    return min(ROWS, max(1, _READ // longest))


def _listed_texts(schema: Any) -> list[str]:
    """Columns of texts in lists: they stay dictionaries until they are measured, for one row may hold any number."""
    columns = map(schema.column, range(len(schema)))
    return [
        each.path for each in columns if each.max_repetition_level > 0 and each.physical_type == "BYTE_ARRAY"
    ]


def _too_large(name: str | Path, column: str) -> UserError:
    return UserError(
        "A page of the column is too large to be read.",
        file=name,
        field=column,
        remedy="Write the table again in smaller groups of rows.",
    )


def _too_much(name: str | Path, bounds: Bounds) -> UserError:
    return UserError(
        f"More than {bounds.ratio} bytes come out of the file for each that is in it.",
        file=name,
        remedy="If it is a file that you trust, write it again as JSON Lines.",
    )


def _pieces(batch: Any) -> Iterator[tuple[Any, int]]:
    """Parts of a batch, in order, each small enough to be made into records, or of one row; and how many bytes it is."""
    for start in range(0, batch.num_rows, ROWS):
        yield from _halved(batch.slice(start, ROWS))


def _halved(piece: Any) -> Iterator[tuple[Any, int]]:
    size = _spelled_out(piece)
    if piece.num_rows > 1 and size > _AT_ONCE:
        half = piece.num_rows // 2
        yield from _halved(piece.slice(0, half))
        yield from _halved(piece.slice(half))
    else:
        yield piece, size


def _spelled_out(values: Any) -> int:
    """Bytes of an array or batch once each value stands where a dictionary has it once, lists and structures too. What takes
    none, as nulls do, counts as one, and as a pointer in a list."""
    if isinstance(values, pa.RecordBatch):
        return sum(map(_spelled_out, values.columns))
    return max(len(values), _bytes_of(values))


def _bytes_of(values: Any) -> int:
    if isinstance(values, pa.ExtensionArray):
        return _spelled_out(values.storage)
    if isinstance(values, pa.DictionaryArray):
        lengths = pc.binary_length(values.dictionary) if _is_text(values.dictionary.type) else None
        if lengths is None:
            return len(values) * _spelled_out(values.dictionary)
        return pc.sum(pc.take(lengths, values.indices)).as_py() or 0
    if isinstance(values, pa.StringViewArray | pa.BinaryViewArray):
        views = np.frombuffer(values.buffers()[1] or b"", np.int32).reshape(
            -1, 4
        )  # of each the first number is its length
        return int(views[values.offset : values.offset + len(values), 0].sum(dtype=np.int64))
    if isinstance(values, pa.StructArray):
        return sum(map(_spelled_out, values.flatten()))
    if pa.types.is_nested(values.type) and hasattr(values, "flatten"):
        inner = values.flatten()
        return values.nbytes - values.values.nbytes + max(_spelled_out(inner), _POINTER * len(inner))
    return int(values.nbytes)


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
                made[column] = known(Numbers().decode(made[column]), [])
    extra = made.pop(EXTRA, None)
    return made | extra if isinstance(extra, dict) else made


@contextmanager
def _damage(name: str | Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, MemoryError) as error:
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
