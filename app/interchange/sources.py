"""Reads a corpus of any size, passage by passage: JSONL (plain or gzipped), Parquet, a Hugging Face dataset on disk.

Knows no torch: the store's importers read corpora with it too.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.errors import NotFound, UserError

ID_FIELDS = ("id", "passage_id", "external_id", "example_id", "_id")
TEXT_FIELDS = ("text", "contents", "content", "passage")
FORMATS = "JSONL, JSONL.gz, Parquet, or a directory written by datasets' save_to_disk"
ROWS = 1024
Record = tuple[int, Mapping[str, Any]]
"""Line (or row), counted from 1, and the fields."""


@dataclass(frozen=True)
class SourcePassage:
    """One passage of a source; `meta` has its other fields."""

    id: str
    text: str
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Corpus:
    """A corpus file or directory that can be read any number of times.

    Args:
        id_field, text_field: names of the fields; None takes the first of the usual ones that is there, and for
            ids the row's number, from 0, where there is none.
    """

    path: Path
    id_field: str | None = None
    text_field: str | None = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(id, text) of every passage, in order."""
        return ((passage.id, passage.text) for passage in self.passages())

    def passages(self) -> Iterator[SourcePassage]:
        """Every passage in order, in bounded memory.

        Raises:
            NotFound: there is no such file. UserError: it cannot be read; file, line (or row) and field are named.
        """
        seen: set[str] = set()
        for place, (line, record) in enumerate(records(self.path)):
            passage = self._passage(place, line, record)
            if passage.id in seen:
                raise self._error(
                    line, f"The id {passage.id!r} stands twice.", "id", "Give every passage its own."
                )
            seen.add(passage.id)
            yield passage

    def _passage(self, place: int, line: int, record: Mapping[str, Any]) -> SourcePassage:
        text_field = self._named(line, record, self.text_field, TEXT_FIELDS, "text")
        if text_field is None:
            raise self._error(
                line,
                f"There is no text; the fields are {', '.join(map(repr, record)) or 'none'}.",
                "text",
                "Name the field with --text-field.",
            )
        text = record[text_field]
        if not isinstance(text, str):
            raise self._error(line, f"It is {_kind(text)}, not text.", text_field, "Give a string.")
        id_field = self._named(line, record, self.id_field, ID_FIELDS, "id")
        identifier = place if id_field is None else record[id_field]
        if isinstance(identifier, bool) or not isinstance(identifier, str | int):
            raise self._error(
                line,
                f"It is {_kind(identifier)}, not an id.",
                id_field or "id",
                "Give a string or a whole number.",
            )
        meta = {key: value for key, value in record.items() if key not in (text_field, id_field)}
        return SourcePassage(str(identifier), text, meta)

    def _named(
        self, line: int, record: Mapping[str, Any], wanted: str | None, usual: tuple[str, ...], what: str
    ) -> str | None:
        if wanted is None:
            return next((name for name in usual if name in record), None)
        if wanted not in record:
            raise self._error(
                line,
                f"There is no field {wanted!r}; the fields are {', '.join(map(repr, record)) or 'none'}.",
                wanted,
                f"Name the right one with --{what}-field.",
            )
        return wanted

    def _error(self, line: int, message: str, name: str, remedy: str) -> UserError:
        return UserError(message, file=self.path, line=line, field=name, remedy=remedy)


def records(path: Path) -> Iterator[Record]:
    """Every record of a source with its line or row. Blank lines count as lines, not as records.

    Raises:
        NotFound, UserError: as `Corpus.passages`.
    """
    if path.is_dir():
        return _arrow(path)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", field="corpus", remedy=f"Give {FORMATS}.")
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == b"PAR1":
        return _parquet(path)
    return _jsonl(path, compressed=start[:2] == b"\x1f\x8b")


def _jsonl(path: Path, *, compressed: bool) -> Iterator[Record]:
    number = 0
    with path.open("rb") as plain, gzip.open(plain) if compressed else nullcontext(plain) as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, _record(path, number, line)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(
                f"The file ends in the middle or is damaged: {error}.",
                file=path,
                line=number + 1,
                remedy="Copy or download it again.",
            ) from None


def _record(path: Path, number: int, line: bytes) -> Mapping[str, Any]:
    remedy = f"Give one JSON object per line; corpora are {FORMATS}."
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        raise UserError("It is not UTF-8 text.", file=path, line=number, remedy=remedy) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"It is not JSON: {error}.", file=path, line=number, remedy=remedy) from None
    if not isinstance(record, dict):
        raise UserError(f"It is {_kind(record)}, not an object.", file=path, line=number, remedy=remedy)
    return record


def _parquet(path: Path) -> Iterator[Record]:
    try:
        with pq.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(batch_size=ROWS) for row in batch.to_pylist())
            yield from enumerate(rows, start=1)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"The Parquet file is damaged: {error}.", file=path, remedy="Copy it again."
        ) from None


def _arrow(path: Path) -> Iterator[Record]:
    """`datasets`' `save_to_disk`: `state.json` names the Arrow files in order."""
    state = path / "state.json"
    if not state.is_file():
        splits = sorted(part.parent.name for part in path.glob("*/state.json"))
        remedy = f"Give one of its splits: {', '.join(splits)}." if splits else f"Give {FORMATS}."
        raise UserError(
            "This directory is no dataset saved on disk.", file=path, field="corpus", remedy=remedy
        )
    try:
        saved = json.loads(state.read_text(encoding="utf-8"))
        files = [path / entry["filename"] for entry in saved["_data_files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"It cannot be read: {error}.", file=state, remedy="Save the dataset again."
        ) from None
    if saved.get("_indices_data_files"):
        raise UserError(
            "The dataset was saved with a selection of its rows.",
            file=path,
            remedy="Call flatten_indices() before save_to_disk().",
        )
    yield from enumerate((row for file in files for row in _arrow_file(file)), start=1)


def _arrow_file(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, ROWS):
                    yield from batch.slice(start, ROWS).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"The Arrow file is damaged: {error}.", file=file, remedy="Save the dataset again."
        ) from None


def _kind(value: Any) -> str:
    names = {
        str: "text",
        int: "a number",
        float: "a number",
        bool: "true or false",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
