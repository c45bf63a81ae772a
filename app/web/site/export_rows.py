"""Pages as files: JSON Lines in the paper's format, and CSV, streamed row by row in the page's own order.

A stream that broke off can be told from a whole one: the last row, and only it, has `end_of_export`, the
number of rows (a last column in CSV, one more field of the last record in JSON Lines, which the importer
checks and drops). The header `X-Row-Count` says the same number where it is known before.

CSV opens in spreadsheets, and passages are hostile: text that a spreadsheet would compute gets a leading
apostrophe. Numbers are left alone.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.files import json_line
from app.web.site.serialize import text_bytes

END = "end_of_export"
_CHUNK = 1 << 16
# What Excel, LibreOffice and Sheets take for the start of a formula, their full-width forms included.
_FORMULA = re.compile(r"^[\s\x00\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")


def safe_cell(value: Any) -> Any:
    """`value` for a CSV cell: text never starts a formula, lists are JSON, None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return safe_cell(json.dumps(value, ensure_ascii=False))
    if not isinstance(value, str):
        return value
    value = value.replace("\0", "\ufffd")
    return f"'{value}" if _FORMULA.match(value) else value


def csv_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The rows as CSV (RFC 4180, UTF-8), with a heading and the last column `end_of_export`."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*columns, END])
    for count, row, last in _numbered(rows):
        writer.writerow([*(safe_cell(row.get(column)) for column in columns), count if last else ""])
        if out.tell() >= _CHUNK:
            yield _drained(out)
    yield _drained(out)


def jsonl_rows(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The records as JSON Lines, nothing lost; the last one also has `end_of_export`."""
    out = bytearray()
    for count, record, last in _numbered(records):
        out += json_line({**record, END: count} if last else dict(record))
        if len(out) >= _CHUNK:
            yield bytes(out)
            out.clear()
    yield bytes(out)


def _numbered(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any], bool]]:
    """(number from 1, row, whether it is the last) for each row."""
    count, held = 0, None
    for row in rows:
        if held is not None:
            yield count, held, False
        count, held = count + 1, row
    if held is not None:
        yield count, held, True


def _drained(out: io.StringIO) -> bytes:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text_bytes(text)
