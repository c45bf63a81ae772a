"""One reader for every way in: the same passages from every format, compression, folder and stream."""

import bz2
import csv
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.errors import UserError
from app.interchange.records import read_records
from tests.support.record_files import ROWS, Passages, arrow, jsonl, parquet, read, zipped, zstd


def table(rows: list[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


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
    assert read(str(tmp_path / "data" / "*"), split="train") == EXPECTED[:5]
    assert read(tmp_path / "data" / "test-00000-of-00001.parquet", split="test") == EXPECTED[5:9]
    with pytest.raises(UserError, match="no file of records of the split “validation”"):
        read(tmp_path, split="validation")
    with pytest.raises(UserError, match="does not say that it is of the split “train”"):
        read(tmp_path / "data" / "test-00000-of-00001.parquet", split="train")


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


@pytest.mark.slow
def test_records_come_from_standard_input(tmp_path: Path) -> None:
    """`zstdcat shard.zst | startrail corpus add - --name c4`; compressed input is read too, and Parquet."""
    program = (
        "from app.interchange.plain import read_passages; print(sum(len(p.text) for p in read_passages('-')))"
    )
    wanted = sum(len(row["text"]) for row in ROWS)
    for content in (jsonl(ROWS), lzma.compress(jsonl(ROWS)), parquet(ROWS)):
        said = subprocess.run([sys.executable, "-c", program], input=content, capture_output=True, check=True)
        assert int(said.stdout) == wanted


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
