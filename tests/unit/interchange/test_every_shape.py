"""The table of shapes in which people keep corpora, prompts and results, and of the ways in: the same outcome by each.

Every row was refused by some way once. Ways are the functions behind the commands, in one process and one store.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from app.errors import UserError
from app.interchange.adding import add_corpus_files, add_prompt_files
from app.interchange.fields import Fields
from app.interchange.records import Reading
from app.interchange.results import export_results, import_results
from app.runs.building_corpus import corpus_or_files
from app.store.engine import Store
from app.store.prompts import get_prompt_set, list_prompts
from app.store.runs import get_run
from app.store.tables import Passage
from tests.support.paper_records import paper_record
from tests.support.record_files import arrow, jsonl, parquet, zipped, zstd
from tests.support.sites import site, store_of

ROWS: list[dict[str, Any]] = [{"text": f"Page {n}, “ü”.", "url": f"u{n}"} for n in range(3)]
CSV = 'text,url\n"Page 0, “ü”.",u0\n"Page 1, “ü”.",u1\n"Page 2, “ü”.",u2\n'
LINES = "".join(f"{row['text']}\n" for row in ROWS)


@dataclass(frozen=True)
class Shape:
    """One way to keep records: what is on disk, and what has to be said of it.

    Args:
        files: name -> bytes; several are a folder.
    """

    files: dict[str, bytes]
    reading: Reading = field(default_factory=Reading)
    fields: Fields = field(default_factory=Fields)

    def put(self, folder: Path) -> str:
        """Write it; the path that people would give."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return str(folder if len(self.files) > 1 else folder / next(iter(self.files)))


def one(content: bytes, name: str = "web.jsonl", **said: Any) -> Shape:
    return Shape({name: content}, **said)


def renamed(**names: str) -> bytes:
    return jsonl([{names.get(key, key): value for key, value in row.items()} for row in ROWS])


CORPORA: dict[str, Shape] = {
    "lines, as C4 has them": one(jsonl(ROWS)),
    "lines with ids": one(jsonl([{"id": str(n), **row} for n, row in enumerate(ROWS)])),
    "lines with numbers as ids": one(jsonl([{"docid": n, **row} for n, row in enumerate(ROWS)])),
    "text under contents": one(renamed(text="contents")),
    "text under content": one(renamed(text="content")),
    "text under a name of one's own": one(renamed(text="body"), fields=Fields(text="body")),
    "lines with a byte order mark": one(b"\xef\xbb\xbf" + jsonl(ROWS)),
    "UTF-16": one(jsonl(ROWS).decode().encode("utf-16")),
    "gzip": one(gzip.compress(jsonl(ROWS)), "web.json.gz"),
    "zstd": one(zstd(jsonl(ROWS)), "web.jsonl.zst"),
    "xz": one(lzma.compress(jsonl(ROWS)), "web.jsonl.xz"),
    "bz2": one(bz2.compress(jsonl(ROWS)), "web.jsonl.bz2"),
    "zip": one(zipped(jsonl(ROWS)), "web.zip"),
    "a compression that the name hides": one(gzip.compress(jsonl(ROWS)), "web.jsonl"),
    "an array": one(json.dumps(ROWS).encode(), "web.json"),
    "an array for people": one(json.dumps(ROWS, indent=2).encode(), "web.json"),
    "an array of texts": one(json.dumps([row["text"] for row in ROWS], indent=1).encode(), "web.json"),
    "a text a line, in quotes": one("".join(json.dumps(row["text"]) + "\n" for row in ROWS).encode(), "web.jsonl"),
    "CSV": one(CSV.encode(), "web.csv"),
    "CSV from a spreadsheet": one(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(), "web.csv"),
    "TSV": one("".join(f"{a}\t{b}\n" for a, b in [("text", "url"), *(r.values() for r in ROWS)]).encode(), "web.tsv"),
    "Parquet": one(parquet(ROWS), "web.parquet"),
    "Parquet shards beside a README": Shape(
        {"data/train-10.parquet": parquet(ROWS[2:]), "data/train-9.parquet": parquet(ROWS[:2]), "README.md": b"# Web"}
    ),
    "shards of lines": Shape(
        {"part-1.jsonl.gz": gzip.compress(jsonl(ROWS[:1])), "part-2.jsonl.gz": gzip.compress(jsonl(ROWS[1:]))}
    ),
    "Feather": one(arrow(ROWS, pa.ipc.new_file), "web.feather"),
    "a data set saved on disk": Shape(
        {"data-0.arrow": arrow(ROWS, pa.ipc.new_stream), "state.json": b'{"_data_files": [{"filename": "data-0.arrow"}]}'}
    ),
    "a passage a line": one(LINES.encode(), "web.txt"),
    "a passage a paragraph": one(LINES.replace("\n", "\n\n").encode(), "web.txt", reading=Reading(passages="paragraph")),
    "a passage a file": Shape({f"p{n}.txt": row["text"].encode() for n, row in enumerate(ROWS)}),
    "wikitext": one("".join(f" = Page {n} = \n\n {row['text']} \n" for n, row in enumerate(ROWS)).encode(), "wiki.train.tokens"),
}  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_corpus_of_every_shape_comes_in_alike_by_corpus_add_and_index(store: Store, tmp_path: Path) -> None:
    """`index FILE` takes a corpus that is there only if the file reads to the same hash: both ways read alike."""
    for number, (what, shape) in enumerate(CORPORA.items()):
        path = shape.put(tmp_path / str(number))
        added = add_corpus_files(store, [path], what, fields=shape.fields, reading=shape.reading)
        assert added.passages == len(ROWS), what
        assert corpus_or_files(store, path, what, shape.fields, shape.reading).id == added.id
        with store.session() as session:
            texts = session.scalars(select(Passage.text).where(Passage.corpus_id == added.id)).all()
        assert [text.strip() for text in texts] == [row["text"] for row in ROWS], what


RESULTS = [paper_record(n) for n in range(2)]
PROMPTS = [{"id": f"q{n}", "prompt": f"The capital of {n} is", "target": "Velo"} for n in range(2)]
FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "lines": jsonl,
    "UTF-16": lambda rows: jsonl(rows).decode().encode("utf-16"),
    "a byte order mark": lambda rows: b"\xef\xbb\xbf" + jsonl(rows),
    "lz4": lambda rows: pa.compress(jsonl(rows), "lz4", asbytes=True),
    "gzip": lambda rows: gzip.compress(jsonl(rows)),
    "zstd": lambda rows: zstd(jsonl(rows)),
    "xz": lambda rows: lzma.compress(jsonl(rows)),
    "bz2": lambda rows: bz2.compress(jsonl(rows)),
    "zip": lambda rows: zipped(jsonl(rows)),
    "an array": lambda rows: json.dumps(rows).encode(),
    "Parquet": parquet,
    "Feather": lambda rows: arrow(rows, pa.ipc.new_file),
    "an Arrow stream": lambda rows: arrow(rows, pa.ipc.new_stream),
    "CSV": lambda rows: table(rows, ","),
    "TSV": lambda rows: table(rows, "\t"),
}
TABLES = {"CSV", "TSV"}  # told from text by the name, for no column of results is known by its own


def table(rows: list[dict[str, Any]], delimiter: str) -> bytes:
    """As `DataFrame.to_csv` has them, with lists as JSON."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(rows[0])
    cells = [[v if isinstance(v, str) else json.dumps(v) for v in row.values()] for row in rows]
    writer.writerows(cells)
    return out.getvalue().encode()


def named(folder: Path, what: str, form: str) -> Path:
    """A file whose name says no more than has to be said."""
    path = folder / (f"{what}.{form.lower()}" if form in TABLES else what)
    path.write_bytes(FORMS[form]({"asked": PROMPTS, "found": RESULTS}[what]))
    return path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("form", FORMS)
def test_prompts_and_results_of_every_form_come_in_by_command(
    store: Store, tmp_path: Path, form: str
) -> None:
    asked, found = (named(tmp_path, what, form) for what in ("asked", "found"))
    add_prompt_files(store, [str(asked)])
    with store.session() as session:
        prompts = list_prompts(session, get_prompt_set(session, "asked").id)
        assert [(each.external_id, each.text, each.target) for each in prompts] == [
            tuple(row.values()) for row in PROMPTS
        ]
        run = import_results(session, found, run="found")
        assert list(export_results(session, run)) == RESULTS


SEVERAL: dict[str, Callable[[list[dict[str, Any]]], dict[str, bytes]]] = {  # name -> bytes; by folder, and by glob
    "shards": lambda rows: {f"part-{n}.jsonl.gz": gzip.compress(jsonl([row])) for n, row in enumerate(rows, 9)},
    "Parquet shards": lambda rows: {f"train-{n}.parquet": parquet([row]) for n, row in enumerate(rows, 9)},
    "a data set saved on disk": lambda rows: {
        "data-0.arrow": arrow(rows, pa.ipc.new_stream), "state.json": b'{"_data_files": [{"filename": "data-0.arrow"}]}',
    },
}  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_prompts_and_results_come_in_by_folder_by_glob_and_by_standard_input(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what, make in SEVERAL.items():
        asked, found = (
            Shape(make(rows)).put(tmp_path / what / name) for name, rows in (("q", PROMPTS), ("r", RESULTS))
        )
        known = "*.arrow" if "disk" in what else "*-*"
        for number, inside in enumerate(("", f"/{known}")):
            assert add_prompt_files(store, [asked + inside], f"{what} {number}").prompts == len(PROMPTS)
            with store.session() as session:
                run = import_results(session, found + inside, run=f"{what} {number}")
                assert list(export_results(session, run)) == RESULTS, what
    for rows in (PROMPTS, RESULTS):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(zstd(jsonl(rows)))))
        if rows is PROMPTS:
            assert add_prompt_files(store, ["-"], "typed").prompts == len(PROMPTS)
    with store.session() as session:
        assert list(export_results(session, import_results(session, "-", run="typed"))) == RESULTS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_results_of_every_form_come_in_by_upload(database_url: str, tmp_path: Path) -> None:
    """A table was "not JSON": on its way in it lost the name that tells it from text."""
    with site(database_url, tmp_path) as client:
        for form in FORMS:
            found = named(tmp_path, "found", form)
            answer = client.post("/api/v1/uploads", files={"file": (found.name, found.read_bytes())})
            address = f"{answer.json()['url']}.json"
            while not (state := client.get(address).json())["over"]:
                time.sleep(0.01)
            assert state["problem"] is None, form
            with store_of(client).session() as session:
                assert list(export_results(session, get_run(session, state["run"]))) == RESULTS, form
        broken = json.dumps(RESULTS[0] | {"8b_confidence": math.nan}).encode()
        address = client.post("/api/v1/uploads", files={"file": ("nan.jsonl", broken)}).json()["url"]
        while not (state := client.get(f"{address}.json").json())["over"]:
            time.sleep(0.01)
        assert state["read_as_null"] == {"8b_confidence": 1}
        assert "<code>8b_confidence</code> holds" in client.get(address).text
        client.app.state.imports.close()  # type: ignore[attr-defined]  # TestClient.app is any ASGI application
        store_of(client).engine.dispose()


REFUSED: dict[str, tuple[bytes, str]] = {
    "too deep": (b'{"text": "a", "n": ' + b"[" * 200 + b"]" * 200 + b"}\n", r":1, field n: .*nested deeper"),
    "ids with a point": (b'{"id": 1.0, "text": "a"}\n', r":1, field id: 1\.0 is not an id"),
    "infinity": (b'{"text": "a"}\n{"text": "b", "x": -Infinity}\n', r":2, field x: .*null"),
    "a text that is NaN": (b'{"text": "a"}\n{"text": NaN}\n', r":2, field text: .*null"),
    "XML": (b'<?xml version="1.0"?>\n<p>a</p>\n', "This is XML"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "a picture"),
    "cut gzip": (gzip.compress(jsonl(ROWS * 99))[:-20], "breaks off"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_refused_is_refused_in_the_same_words_by_every_way(store: Store, tmp_path: Path) -> None:
    for what, (content, said) in REFUSED.items():
        path = tmp_path / "web.jsonl"
        path.write_bytes(content)
        with pytest.raises(UserError, match=said) as by_corpus:
            add_corpus_files(store, [str(path)], what)
        with pytest.raises(UserError) as by_index:
            corpus_or_files(store, str(path), what)
        assert str(by_index.value) == str(by_corpus.value)
        assert by_corpus.value.remedy
    with store.session() as session:
        assert session.scalars(select(Passage)).first() is None
