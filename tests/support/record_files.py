"""Records in every format and compression, and what the reader makes of them."""

import io
import json
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.interchange.fields import Fields
from app.interchange.plain import read_passages
from app.interchange.records import Reading

ROWS = [{"id": f"a{n}", "text": f"text {n} ü\u2028, “quoted”", "topic": "x"} for n in range(1500)]
Passages = list[tuple[str, str, dict[str, Any]]]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=400)
    return sink.getvalue()


def arrow(rows: list[dict[str, Any]], make: Any) -> bytes:
    sink = io.BytesIO()
    with make(sink, pa.Table.from_pylist(rows).schema) as out:
        out.write_table(pa.Table.from_pylist(rows), max_chunksize=300)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    sink = io.BytesIO()
    for part in (content[:700], content[700:]):  # as pzstd writes it: one frame after another
        with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd") as out:
            out.write(part)
            out.flush()
            sink.close = lambda: None  # type: ignore[method-assign]  # the buffer is read after the writer closes it
    return sink.getvalue()


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/", b"")
        archive.writestr("data/README.md", b"# Not a record")
        archive.writestr("data/records", content)
        archive.writestr("__MACOSX/data/._records", b"\0\5")
    return sink.getvalue()


def read(where: Any, **how: Any) -> Passages:
    """What a corpus gets."""
    fields = Fields(how.pop("id", ""), how.pop("text", ""))
    return [
        (each.external_id, each.text, each.meta)
        for each in read_passages(where, fields=fields, reading=Reading(**how))
    ]
