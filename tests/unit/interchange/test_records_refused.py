"""What is no file of records, what is damaged, and what asks for too much: refused by name, at once."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from app.errors import NotFound, UserError
from app.interchange.records import Bounds
from tests.support.record_files import ROWS, arrow, jsonl, parquet, read, zipped, zstd


@pytest.mark.parametrize(
    ("lines", "line", "field", "message"),
    [
        ('{"text": "a"}\nnot json\n', 2, None, "not JSON"),
        ('{"text": "a"}\n\n[1]\n', 3, None, "a list, not a JSON object"),
        ('{"text": "a"}\n{"test": "b"}\n', 2, "text", "no text; the fields are “test”"),
        ('{"text": 5}\n', 1, "text", "a number, not text"),
        ('{"text": null}\n', 1, "text", "null, not text"),
        ('{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}\n', 2, "id", "stands on line 1 already"),
        ('{"id": [1], "text": "a"}\n', 1, "id", "a list is not an id"),
        ('{"id": 1.0, "text": "a"}\n', 1, "id", r"1\.0 is not an id"),
        ('{"id": true, "text": "a"}\n', 1, "id", "true or false is not an id"),
        ('{"id": "", "text": "a"}\n', 1, "id", "has no id"),
        ('{"id": "x", "text": "a"}\n{"text": "b"}\n', 2, "id", "has no id"),
        ('{"text": "a"}\n{"id": "x", "text": "b"}\n', 2, "id", "those before it have none"),
        ('{"text": "a", "score": Infinity}\n', 1, "score", "Infinity is no JSON number"),
        ('{"text": NaN}\n', 1, "text", "null, not text"),
        ('[{"text": "a"}, {"text": NaN}]', 1, "text", "null, not text"),
        ('{"text": "a", "more": {"x": [1e999]}}\n', 1, "more", "too large"),
        pytest.param('{"text": "a", "more": ' + "[" * 100_000 + "\n", 1, None, "nested deeper", id="deep"),
        pytest.param(
            '{"text": "a", "n": ' + "[" * 101 + "]" * 101 + "}\n", 1, "n", "nested deeper", id="101"
        ),
        ('[{"text": "a"},\n\n {"text": "b"} {"text": "c"}]', 3, None, "stands where ',' belongs"),
        ('[{"text": "a"},\n {"text": ', 2, None, "not JSON"),
        ('[{"text": "a"},\n 7]', 2, None, "a number, not a JSON object"),
        ('[{"text": "a"}]\n{}', 2, None, "follows the end"),
        ("id,text\nx,a\ny,b,c\n", 3, None, "3 cells, the first row names 2"),
        ('id,text\nx,"a\nb"\ny,b,c\n', 4, None, "3 cells"),
        ("id,text,id\nx,a,y\n", 1, None, "Two columns are called “id”"),
        ('id,text\nx,"a" b\n', 2, None, "cannot be read"),
    ],
)
def test_a_bad_record_is_named(
    tmp_path: Path, lines: str, line: int, field: str | None, message: str
) -> None:
    file = tmp_path / "corpus"
    file.write_text(lines)
    with pytest.raises(UserError, match=message) as caught:
        read(file)
    assert (caught.value.line, caught.value.field, caught.value.file) == (line, field, str(file))
    assert caught.value.remedy


def test_what_breaks_off_or_is_damaged_is_named(tmp_path: Path) -> None:
    whole: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "zst": zstd,
        "xz": lzma.compress,
        "bz2": bz2.compress,
    }
    damaged = {f"cut.{name}": pack(jsonl(ROWS))[:-200] for name, pack in whole.items()}
    damaged |= {
        "flipped.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xff" * 40,
        "cut.parquet": parquet(ROWS)[:2000],
        "cut.arrow": arrow(ROWS, pa.ipc.new_stream)[:5000],
        "cut.zip": zipped(jsonl(ROWS))[:-200],
        "bytes.jsonl": b'{"text": "\xff"}\n',
        "odd.jsonl": jsonl(ROWS[:2]).decode().encode("utf-16")[:-1],
        "latin.csv": b"id,text\na,Z\xfcrich\n",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=r"breaks off|damaged|not UTF-") as caught:
            read(tmp_path / name)
        assert name in str(caught.value.file)
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\x93NUMPY\1\0", "an array of NumPy"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x00\x01\x02" * 100, "neither text nor a table"),
    ],
)
def test_what_is_no_file_of_records_is_told_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read(tmp_path / "x.jsonl", texts=False)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    for where in (tmp_path / "nowhere", str(tmp_path / "*.jsonl")):
        with pytest.raises(NotFound, match="no such file"):
            read(where)
    with pytest.raises(UserError, match="no file of records"):
        read(tmp_path)


def test_bounds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(jsonl([{"text": "x" * 3000}]))
    with pytest.raises(UserError, match=r"c\.jsonl:1: The line is longer than"):
        read(path, bounds=Bounds(line=2000))
    path.write_bytes(gzip.compress(jsonl([{"text": "x" * 1000}] * 1000)))
    with pytest.raises(UserError, match="More than 50 bytes come out"):
        read(path, bounds=Bounds(ratio=50, free=1 << 16))
    with pytest.raises(UserError, match="come out of the compressed file"):
        read(path, bounds=Bounds(total=1 << 19))
    path.write_bytes(b"[" + json.dumps({"text": "x" * (1 << 20)}).encode() + b"]")
    with pytest.raises(UserError, match="The record is longer"):
        read(path, bounds=Bounds(line=1 << 19))
