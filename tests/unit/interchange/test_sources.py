"""Every kind of corpus reads the same, and what is wrong is named by file, line and field."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import NotFound, UserError
from app.interchange.sources import Corpus

ROWS = [{"id": f"a{n}", "text": f"text {n} ü\u2028", "topic": "x"} for n in range(2500)]


def jsonl(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def zipped(path):
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n\n" for row in ROWS)
    return path


def parquet(path):
    pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=1000)
    return path


def dataset(path):
    """As `datasets.Dataset.save_to_disk` writes it."""
    path.mkdir()
    for number, start in enumerate((0, 1500)):
        table = pa.Table.from_pylist(ROWS[start : start + 1500])
        with (
            pa.OSFile(str(path / f"data-{number}.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
    files = [{"filename": f"data-{number}.arrow"} for number in (0, 1)]
    (path / "state.json").write_text(json.dumps({"_data_files": files, "_split": "train"}))
    return path


@pytest.mark.parametrize("write", [jsonl, zipped, parquet, dataset])
def test_every_format_gives_the_same_passages_any_number_of_times(tmp_path, write):
    corpus = Corpus(write(tmp_path / "corpus"))
    assert list(corpus) == list(corpus) == [(row["id"], row["text"]) for row in ROWS]
    assert next(corpus.passages()).meta == {"topic": "x"}


def test_fields_can_be_named_and_ids_counted(tmp_path):
    file = tmp_path / "c.jsonl"
    file.write_text('{"body": "one", "key": 7}\n{"body": "two", "key": 8}\n')
    assert list(Corpus(file, id_field="key", text_field="body")) == [("7", "one"), ("8", "two")]
    assert list(Corpus(file, text_field="body")) == [("0", "one"), ("1", "two")]


@pytest.mark.parametrize(
    ("lines", "line", "field", "message"),
    [
        ('{"text": "a"}\nnot json\n', 2, None, "not JSON"),
        ('{"text": "a"}\n\n[1]\n', 3, None, "a list, not an object"),
        ('{"text": "a"}\n{"test": "b"}\n', 2, "text", "no text; the fields are 'test'"),
        ('{"text": 5}\n', 1, "text", "a number, not text"),
        ('{"text": null}\n', 1, "text", "null, not text"),
        ('{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}\n', 2, "id", "stands twice"),
        ('{"id": [1], "text": "a"}\n', 1, "id", "a list, not an id"),
        pytest.param('{"text": "a", "more": ' + "[" * 100_000 + "\n", 1, None, "not JSON", id="deep"),
    ],
)
def test_a_bad_line_is_named(tmp_path, lines, line, field, message):
    file = tmp_path / "c.jsonl"
    file.write_text(lines)
    with pytest.raises(UserError, match=message) as caught:
        list(Corpus(file))
    assert (caught.value.line, caught.value.field, caught.value.file) == (line, field, str(file))
    assert caught.value.remedy


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "bytes.jsonl").write_bytes(b'{"text": "\xff"}\n')
    cut = zipped(tmp_path / "cut.gz")
    cut.write_bytes(cut.read_bytes()[:-200])
    flipped = tmp_path / "flipped.gz"
    flipped.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xff" * 40)
    broken = parquet(tmp_path / "broken.parquet")
    broken.write_bytes(broken.read_bytes()[:2000])
    torn = dataset(tmp_path / "torn")
    (torn / "data-1.arrow").write_bytes(b"rubbish")
    for name, message in (
        ("bytes.jsonl", "UTF-8"),
        ("cut.gz", "ends in the middle"),
        ("flipped.gz", "is damaged: .*invalid block type"),
        ("broken.parquet", "Parquet"),
        ("torn", "Arrow"),
    ):
        with pytest.raises(UserError, match=message):
            list(Corpus(tmp_path / name))


def test_what_is_no_corpus_says_what_one_is(tmp_path):
    with pytest.raises(NotFound, match="no file"):
        list(Corpus(tmp_path / "nowhere"))
    dataset_dict = tmp_path / "both"
    dataset_dict.mkdir()
    dataset(dataset_dict / "train")
    with pytest.raises(UserError, match="Give one of its splits: train"):
        list(Corpus(dataset_dict))
