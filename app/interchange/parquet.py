"""Rows and records as Parquet, a group of rows at a time: as much memory for a million as for a thousand.

A run's file has the same columns whatever run it is of: every field of the results format under today's name, typed, and
`extra`, the fields that the format does not know, as one JSON text. Columns of JSON are marked as such, and `import` reads
them back.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.interchange.records.columnar import EXTRA, JSON
from app.interchange.records.line import Line
from app.interchange.results_fields import COLUMNS, KEPT, LISTS, OUTPUT, PROMPT, SIDES
from app.interchange.results_parse import parse

GROUP = 500  # rows written together
_TYPES = {"text": "string", "id": "string", "count": "int64", "number": "float64", "truth": "bool_"}


def results_parquet(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A run's records as one Parquet file."""
    return parquet_chunks(results_schema(), map(_row, records))


def table_parquet(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, type]) -> Iterator[bytes]:
    """Flat rows as one Parquet file.

    Args:
        columns: name -> `str`, `int`, `float` or `bool`; other values, lists say, are written as JSON text.
    """
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([pa.field(name, types[kind]) for name, kind in columns.items()])
    return parquet_chunks(
        schema, ({name: _cell(row.get(name), kind) for name, kind in columns.items()} for row in rows)
    )


def parquet_chunks(schema: Any, rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The rows as one Parquet file, in pieces.

    Args:
        schema: a `pyarrow.Schema`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), schema, compression="zstd") as writer:
        group: list[Mapping[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == GROUP:
                writer.write_table(_table(group, schema))
                group = []
                yield sink.taken()
        if group:
            writer.write_table(_table(group, schema))
    yield sink.taken()


def results_schema() -> Any:
    """The columns of a run's file, as a `pyarrow.Schema`."""
    import pyarrow as pa

    def plain(kind: str) -> Any:
        return getattr(pa, _TYPES[kind])() if kind in _TYPES else None

    fields = []
    for field in (*PROMPT, *OUTPUT):
        kind = pa.list_(pa.string()) if field.kind == "texts" else plain(field.kind)
        fields.append(pa.field(field.names[0], kind) if kind is not None else _json(field.names[0]))
    for side in SIDES:
        fields += [pa.field(side + rest, pa.list_(plain(kind))) for rest, (_, kind) in LISTS.items()]
    return pa.schema([*fields, *map(_json, KEPT), _json(EXTRA)])


def _json(name: str) -> Any:
    import pyarrow as pa

    return pa.field(name, pa.string(), metadata={JSON: b"1"})


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's values by column, as the importer understands them."""
    parsed = parse(Line("", 1, dict(record)))
    rows: dict[str, Mapping[str, Any]] = {"prompt": parsed.prompt, "output": parsed.output, **parsed.sides}
    row: dict[str, Any] = {}
    for field in (*PROMPT, *OUTPUT):
        place, column = COLUMNS[field.names[0]]
        value = rows[place].get(column)
        row[field.names[0]] = _text(value) if field.kind == "weighed" else value
    for side in SIDES:
        row |= {side + rest: rows.get(side, {}).get(column) for rest, (column, _) in LISTS.items()}
    row |= {name: _text(record[name]) for name in KEPT if name in record}
    extra = {name: value for name, value in record.items() if name not in COLUMNS and name not in KEPT}
    return row | {EXTRA: _text(extra) if extra else None}


def _table(rows: list[Mapping[str, Any]], schema: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.Table.from_pylist(rows, schema)
    except UnicodeEncodeError:  # half a character somewhere, which no column of texts can hold
        return pa.Table.from_pylist(_utf8(rows), schema)


def _cell(value: Any, kind: type) -> Any:
    if value is None or isinstance(value, kind):
        return value
    return _text(value) if kind is str else kind(value)


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _utf8(each) for name, each in value.items()}
    return [_utf8(each) for each in value] if isinstance(value, list) else value


class _Sink:
    """A file that holds what was written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Keep it."""
        self._held += memoryview(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """What was written can still be taken."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._held)
        self._held.clear()
        return taken
