"""Tables with types: Parquet, Arrow and Feather files, a batch of rows at a time."""

import io
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.errors import UserError
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import deep, too_deep
from app.interchange.records.line import Line

ROWS = 1024
JSON = b"startrail.json"  # in a column's metadata: its texts are JSON, as our own exports write what has no one type
EXTRA = "extra"  # such a column, of the fields that the results format does not know


def read_parquet(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of a Parquet file.

    Raises:
        UserError: it is damaged.
    """
    with _seekable(stream, name) as file, _damage(name, "Parquet"), pq.ParquetFile(file) as table:
        yield from _rows(table.iter_batches(batch_size=ROWS), name, bounds)


def read_arrow(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of an Arrow (Feather) file."""
    with _seekable(stream, name) as file, _damage(name, "Arrow"), pa.ipc.open_file(file) as table:
        yield from _rows(map(table.get_batch, range(table.num_record_batches)), name, bounds)


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


def _rows(batches: Any, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    number = 0
    for batch in batches:
        marked = [field.name for field in batch.schema if JSON in (field.metadata or {})]
        for start in range(0, batch.num_rows, ROWS):
            for row in batch.slice(start, ROWS).to_pylist():
                number += 1
                if (field := deep(row, bounds.depth)) is not None:
                    raise too_deep(name, number, bounds, field)
                record = {column: as_json(value) for column, value in row.items()}
                yield Line(name, number, _spread(record, marked) if marked else record)


def _spread(record: dict[str, Any], marked: list[str]) -> dict[str, Any]:
    """A record as it was before we made a row of it: columns of JSON read, `extra` spread out, what is null left out."""
    made = {column: value for column, value in record.items() if value is not None}
    for column in marked:
        if isinstance(made.get(column), str):
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
