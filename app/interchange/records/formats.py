"""Which formats there are: how each is recognised by its first bytes, and what reads it. A new one is an entry here."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import UserError
from app.interchange.field_names import PASSAGE_IDS, PROMPT_IDS, PROMPTS, TARGETS, TEXTS
from app.interchange.records import columnar, json_text, texts
from app.interchange.records.bounds import Bounds
from app.interchange.records.line import Line
from app.interchange.records.streams import HEAD, utf_of

Read = Callable[[io.BufferedReader, str | Path, Bounds], Iterator[Line]]
FIELDS = frozenset(
    (
        *PASSAGE_IDS,
        *PROMPT_IDS,
        *TEXTS,
        *PROMPTS,
        *TARGETS,
        "label",
        "premise",
        "goal",
        "ctx",
        "title",
        "query",
    )
)
"""Names by which the first line of a table is told from a line of text."""


@dataclass(frozen=True)
class FileHead:
    """The first bytes of a file, decompressed, and what its name says."""

    data: bytes
    suffix: str  # without that of a compression

    @property
    def text(self) -> str:
        """The first bytes as text; blank where they are none."""
        encoding = utf_of(self.data[:4]) or "utf-8-sig"
        return self.data.decode(encoding, "replace") if not self.binary else ""

    @property
    def binary(self) -> bool:
        """Whether this is no text in any encoding that we know."""
        return b"\0" in self.data and not utf_of(self.data[:4])


@dataclass(frozen=True)
class Format:
    """A way to write records.

    Args:
        texts: whether a record is a text and nothing more, so that neither prompts nor results can be in it.
    """

    name: str
    label: str
    recognises: Callable[[FileHead], bool]
    read: Read
    texts: bool = False


def _magic(*starts: bytes) -> Callable[[FileHead], bool]:
    return lambda head: head.data.startswith(starts)


def _array(head: FileHead) -> bool:
    start = r"\s*\[\s*([{\]]|$)" if head.suffix == ".txt" else r"\s*\[\s*([{\]\"]|$)"
    return re.match(start, head.text) is not None


def _json_lines(head: FileHead) -> bool:
    named = head.suffix in (".jsonl", ".ndjson", ".json") and not head.binary
    return named or head.text.lstrip().startswith("{")


def _table(head: FileHead) -> bool:
    """The name says so, or the first line names columns as we know them."""
    if not head.text.strip():
        return False
    if head.suffix in (".csv", ".tsv", ".tab"):
        return True
    first = head.text.partition("\n")[0].rstrip("\r")
    try:
        cells = next(csv.reader([first], delimiter=texts.delimiter_of(first)), [])
    except csv.Error:
        return False
    return len(cells) > 1 and any(cell.strip().lower() in FIELDS for cell in cells)


def _wikitext(head: FileHead) -> bool:
    first = next((line for line in head.text.split("\n") if line.strip()), "")
    return texts.TITLE.match(first) is not None


FORMATS: tuple[Format, ...] = (
    Format("parquet", "Parquet", _magic(b"PAR1"), columnar.read_parquet),
    Format("arrow", "Arrow", _magic(b"ARROW1"), columnar.read_arrow),
    Format("arrow-stream", "an Arrow stream", _magic(b"\xff\xff\xff\xff"), columnar.read_arrow_stream),
    Format("json", "a JSON array", _array, json_text.read_json_array),
    Format("jsonl", "JSON Lines", _json_lines, json_text.read_json_lines),
    Format("csv", "a table of text (CSV, TSV)", _table, texts.read_table),
    Format("wikitext", "wikitext", _wikitext, texts.read_wikitext, texts=True),
)
"""In the order in which they are asked."""
PASSAGES: dict[str, Format] = {
    unit: Format(unit, f"plain text, a passage a {unit}", lambda _: True, read, texts=True)
    for unit, read in (
        ("line", texts.read_text_lines),
        ("paragraph", texts.read_paragraphs),
        ("file", texts.read_file),
    )
}
"""How plain text is cut into passages."""
READ = "JSON Lines, a JSON array, CSV, TSV, Parquet, Arrow, a data set saved on disk, or plain text"
_OTHERS = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "an array of NumPy",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x89HDF": "an HDF5 file",
    b"<?xml": "XML",
    b"FEA1": "a Feather file of the first version",
    b"Obj\x01": "an Avro file",
}


def recognise(stream: io.BufferedReader, name: str | Path, suffix: str, passages: str) -> Format:
    """The format of a file, told by its first bytes; only what plain text is cut into is told by `passages`.

    Raises:
        UserError: it is none that we read.
    """
    head = FileHead(stream.peek(HEAD)[:HEAD], suffix)
    kind = next((kind for magic, kind in _OTHERS.items() if head.data.startswith(magic)), None)
    if kind is None and head.data[257:262] == b"ustar":
        kind = "a TAR archive"
    if kind:
        raise UserError(f"This is {kind}.", file=name, remedy=f"Give {READ}, compressed or not.")
    found = next((each for each in FORMATS if each.recognises(head)), None)
    if found is None and head.binary:
        raise UserError(
            "This is neither text nor a table that Startrail knows.",
            file=name,
            remedy=f"Give {READ}, compressed or not.",
        )
    return found or PASSAGES[passages]


def by_name(name: str) -> Format:
    """The format of this name.

    Raises:
        UserError: there is none.
    """
    known = {each.name: each for each in FORMATS}
    if name not in known:
        raise UserError(
            f"There is no format “{name}”.", field="format", remedy=f"Use one of {', '.join(known)}."
        )
    return known[name]
