"""One reader: every format, compressed in any way, gives the same records, and what is wrong is named."""

import bz2
import csv
import gzip
import io
import json
import lzma
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import NotFound, UserError
from app.interchange.fields import Fields
from app.interchange.plain import read_passages
from app.interchange.records import Bounds, Reading, read_records
from app.interchange.records.bounds import USUAL

ROWS = [{"id": f"a{n}", "text": f"text {n} ü\u2028, “quoted”", "topic": "x"} for n in range(1500)]
Passages = list[tuple[str, str, dict[str, Any]]]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: list[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=400)
    return sink.getvalue()


def arrow(rows: list[dict[str, Any]], make: Any) -> bytes:
    sink = io.BytesIO()
    with make(sink, pa.Table.from_pylist(rows).schema) as out:
        out.write_table(pa.Table.from_pylist(rows), max_chunksize=300)
    return sink.getvalue()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "JSON Lines": jsonl,
    "JSON Lines with blank lines": lambda rows: jsonl(rows).replace(b"\n", b"\n\n"),
    "with a byte order mark": lambda rows: b"\xef\xbb\xbf" + jsonl(rows),
    "UTF-16": lambda rows: jsonl(rows).decode().encode("utf-16"),
    "UTF-16 without a mark": lambda rows: jsonl(rows).decode().encode("utf-16-le"),
    "a JSON array": lambda rows: json.dumps(rows).encode(),
    "a JSON array for people": lambda rows: json.dumps(rows, indent=2).encode(),
    "CSV": lambda rows: table(rows, ","),
    "CSV as spreadsheets write it in Europe": lambda rows: table(rows, ";"),
    "CSV for spreadsheets": lambda rows: b"\xef\xbb\xbf" + table(rows, ","),
    "TSV": lambda rows: table(rows, "\t"),
    "Parquet": parquet,
    "Feather": lambda rows: arrow(rows, pa.ipc.new_file),
    "an Arrow stream": lambda rows: arrow(rows, pa.ipc.new_stream),
}


def zstd(content: bytes) -> bytes:
    sink = io.BytesIO()
    for part in (content[:700], content[700:]):  # as pzstd writes it: one frame after another
        with pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), "zstd") as out:
            out.write(part)
            out.flush()
            sink.close = lambda: None  # type: ignore[method-assign]
    return sink.getvalue()


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/", b"")
        archive.writestr("data/README.md", b"# Not a record")
        archive.writestr("data/records", content)
        archive.writestr("__MACOSX/data/._records", b"\0\5")
    return sink.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "two gzips": lambda content: gzip.compress(content[:900]) + gzip.compress(content[900:]),
    "zstd": zstd,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zip": zipped,
}


def saved(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As `datasets.Dataset.save_to_disk` writes it."""
    path.mkdir(parents=True)
    for number, start in enumerate((0, 700)):
        part = rows[start : start + 700] if number == 0 else rows[start:]
        (path / f"data-{number}.arrow").write_bytes(arrow(part, pa.ipc.new_stream))
    files = [{"filename": f"data-{number}.arrow"} for number in (0, 1)]
    (path / "state.json").write_text(json.dumps({"_data_files": files, "_split": "train"}))
    return path


def read(where: Any, **how: Any) -> Passages:
    """What a corpus gets."""
    fields = Fields(how.pop("id", ""), how.pop("text", ""))
    return [
        (each.external_id, each.text, each.meta)
        for each in read_passages(where, fields=fields, reading=Reading(**how))
    ]


EXPECTED: Passages = [(row["id"], row["text"], {"topic": "x"}) for row in ROWS]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_in_every_compression_is_read_alike(tmp_path: Path, name: str, compression: str) -> None:
    """By its first bytes: the name on disk says nothing."""
    path = tmp_path / "corpus"
    path.write_bytes(COMPRESSIONS[compression](FORMATS[name](ROWS)))
    assert read(path) == EXPECTED


@pytest.mark.parametrize("name", FORMATS)
def test_a_corpus_without_ids_is_numbered_in_every_format(tmp_path: Path, name: str) -> None:
    """C4 has none. The same rows must be the same corpus whichever way they came, or no index would fit them."""
    path = tmp_path / "corpus"
    path.write_bytes(FORMATS[name]([{"text": row["text"], "url": "u"} for row in ROWS[:3]]))
    assert read(path) == [(str(n), ROWS[n]["text"], {"url": "u"}) for n in range(3)]


def test_a_saved_data_set_is_read_whole_or_by_split(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "one", ROWS)) == EXPECTED
    both = tmp_path / "both"
    saved(both / "train", ROWS[:1000])
    saved(both / "extra", ROWS[1000:])
    (both / "dataset_dict.json").write_text('{"splits": ["train", "extra"]}')
    assert read(both) == EXPECTED
    assert read(both, split="extra") == EXPECTED[1000:]
    with pytest.raises(UserError, match="There are train, extra"):
        read(both, split="test")
    (both / "train" / "data-1.arrow").unlink()
    with pytest.raises(UserError, match=r"data-1\.arrow: .*missing"):
        read(both)


def test_shards_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """`sorted` puts part 10 before part 2, and every row behind it gets another number."""
    folder = tmp_path / "c4"
    (folder / "en").mkdir(parents=True)
    for number in range(12):
        shard = jsonl(ROWS[number * 100 : number * 100 + 100])
        (folder / "en" / f"part-{number}.jsonl.gz").write_bytes(gzip.compress(shard))
    (folder / "README.md").write_text("What this is.")
    (folder / ".gitattributes").write_text("*.gz filter=lfs")
    (folder / "dataset_infos.json").write_text("{}")
    assert read(folder) == read(str(folder / "*" / "*.gz")) == EXPECTED[:1200]
    two = [folder / "en" / "part-3.jsonl.gz", folder / "en" / "part-1.jsonl.gz"]
    assert read(two) == EXPECTED[300:400] + EXPECTED[100:200]


def test_a_split_of_a_folder_is_told_by_its_files_names(tmp_path: Path) -> None:
    """As the hub lays them out."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_bytes(parquet(ROWS[:5]))
    (tmp_path / "data" / "test-00000-of-00001.parquet").write_bytes(parquet(ROWS[5:9]))
    assert read(tmp_path, split="train") == EXPECTED[:5]
    with pytest.raises(UserError, match="no file of records of the split “validation”"):
        read(tmp_path, split="validation")


def test_files_of_two_kinds_are_not_mixed_up(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(ROWS[:5]))
    (tmp_path / "b.csv").write_bytes(table(ROWS[:5], ","))
    with pytest.raises(
        UserError, match=r"b\.csv: This is a table of text .*, the files before it are Parquet"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("", ["First line, and", "more of it.", "Second paragraph."]),
        ("line", ["First line, and", "more of it.", "Second paragraph."]),
        ("paragraph", ["First line, and\nmore of it.", "Second paragraph."]),
        ("file", ["First line, and\nmore of it.\n\n\nSecond paragraph."]),
    ],
)
def test_plain_text_is_cut_into_passages(tmp_path: Path, unit: str, texts: list[str]) -> None:
    path = tmp_path / "story.txt"
    path.write_text("First line, and\nmore of it.\n\n\nSecond paragraph.\n")
    assert [text for _, text, _ in read(path, passages=unit)] == texts


def test_a_folder_of_texts_is_a_passage_a_file(tmp_path: Path) -> None:
    for number in (0, 1, 10, 2):
        (tmp_path / f"p{number}.txt").write_text(f"Text {number}.\n\nAnd more.")
    assert [(id_, text[:7]) for id_, text, _ in read(tmp_path)] == [
        (f"p{number}", f"Text {number}."[:7]) for number in (0, 1, 2, 10)
    ]


def test_wikitext_is_a_passage_an_article(tmp_path: Path) -> None:
    path = tmp_path / "wiki.train.tokens"
    path.write_text(
        " \n = Tarn ( river ) = \n \n The Tarn runs . \n \n = = Course = = \n \n West . \n = Velo = \n A town .\n"
    )
    assert read(path) == [
        ("0", "The Tarn runs . \n = = Course = = \n West .", {"title": "Tarn ( river )"}),
        ("1", "A town .", {"title": "Velo"}),
    ]


def test_fields_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"body": "one", "key": 7, "text": "aside"}\n{"body": "two", "key": 8, "text": ""}\n')
    assert read(path, id="key", text="body") == [("7", "one", {"text": "aside"}), ("8", "two", {"text": ""})]
    with pytest.raises(UserError, match=r"no such field; there are “body”, “key”, “text”.*--text-field"):
        read(path, text="boddy")


def test_records_come_from_standard_input(tmp_path: Path) -> None:
    """`zstdcat shard.zst | startrail corpus add - --name c4`; compressed input is read too, and Parquet."""
    program = (
        "from app.interchange.plain import read_passages; print(sum(len(p.text) for p in read_passages('-')))"
    )
    wanted = sum(len(row["text"]) for row in ROWS)
    for content in (jsonl(ROWS), lzma.compress(jsonl(ROWS)), parquet(ROWS)):
        said = subprocess.run([sys.executable, "-c", program], input=content, capture_output=True, check=True)
        assert int(said.stdout) == wanted


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
        ('{"text": "a", "score": NaN}\n', 1, "score", "NaN is no JSON number"),
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


def test_a_bomb_is_refused_at_once_and_fills_no_memory(tmp_path: Path) -> None:
    """A megabyte that is one line of a gigabyte."""
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=9) as out:
        out.write(b'{"text": "')
        for _ in range(1024):
            out.write(b"a" * (1 << 20))
        out.write(b'"}\n')
    assert path.stat().st_size < 2 << 20
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(UserError, match=rf"longer than {USUAL.line >> 20} MB"):
        read(path)
    assert time.monotonic() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_progress_is_told_in_bytes_of_all_files(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}.jsonl").write_bytes(jsonl(ROWS))
    told: list[tuple[int, int]] = []
    for _ in read_records(tmp_path, progress=lambda done, total: told.append((done, total))):
        pass
    total = 2 * len(jsonl(ROWS))
    assert told == sorted(told)
    assert told[-1] == (total, total)
    assert {of for _, of in told} == {total}
