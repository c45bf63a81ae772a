"""Plain texts: tables of text (CSV, TSV), passages by line, paragraph or file, and wikitext's articles."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from app.errors import UserError
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import not_utf8
from app.interchange.records.line import Line
from app.interchange.records.streams import as_utf8, lines

DELIMITERS = ",;\t"
TITLE = re.compile(r" = (?!=)(.+?) = ?\n?$")


def read_table(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of a table whose first line names its columns; every value is a text.

    Raises:
        UserError: a row has more or fewer cells than the first, or a name stands twice; the line is named.
    """
    content = _decoded(stream, name, bounds)
    first = next(content, "")
    csv.field_size_limit(bounds.line)
    reader = csv.reader(chain([first], content), delimiter=delimiter_of(first), strict=True)
    heads: list[str] = []
    number = 1
    try:
        for cells in reader:
            if not heads:
                heads = _heads(cells, name)
            elif cells:
                if len(cells) != len(heads):
                    raise UserError(
                        f"The row has {len(cells)} cells, the first row names {len(heads)} columns.",
                        file=name,
                        line=number,
                        remedy='Put texts with commas, quotes or line breaks in quotes: "a, ""b""".',
                    )
                yield Line(name, number, dict(zip(heads, cells, strict=True)), typed=False)
            number = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"The row cannot be read: {error}.",
            file=name,
            line=number,
            remedy='Put texts with quotes or line breaks in quotes: "a ""b""".',
        ) from None


def delimiter_of(line: str) -> str:
    """What parts the cells of a table's first line."""
    return max(DELIMITERS, key=line.count)


def _heads(cells: list[str], name: str | Path) -> list[str]:
    heads = [cell.strip() for cell in cells]
    if len(set(heads)) < len(heads):
        twice = next(head for head in heads if heads.count(head) > 1)
        raise UserError(
            f"Two columns are called “{twice}”.",
            file=name,
            line=1,
            remedy="Give every column a name of its own.",
        )
    return heads


def read_text_lines(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """Every line that is not blank as a passage."""
    for number, text in _numbered(stream, name, bounds):
        yield Line(name, number, {"text": text.strip()})


def read_paragraphs(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """Every paragraph as a passage: lines up to the next blank one."""
    previous, started, part = 0, 1, list[str]()
    for number, text in _numbered(stream, name, bounds):
        if part and number > previous + 1:
            yield Line(name, started, {"text": "\n".join(part)})
            part = []
        if not part:
            started = number
        part.append(text.rstrip())
        previous = number
    if part:
        yield Line(name, started, {"text": "\n".join(part)})


def read_file(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The whole file as one passage, its name as its id.

    Raises:
        UserError: it is longer than one passage may be.
    """
    content = as_utf8(stream, name).read(bounds.line + 1)
    if len(content) > bounds.line:
        raise UserError(
            f"The text is longer than {bounds.line >> 20} MB.",
            file=name,
            remedy="Give --passages line or paragraph.",
        )
    try:
        text = content.decode("utf-8", "surrogatepass").strip()
    except UnicodeDecodeError as error:
        raise not_utf8(name, content.count(b"\n", 0, error.start) + 1, error) from None
    if text:
        yield Line(name, 1, {"id": Path(name).stem, "text": text})


def read_wikitext(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """Every article of a wikitext file as a passage, its title beside it."""
    started, title, part = 1, "", list[str]()
    for number, text in _numbered(stream, name, bounds):
        if found := TITLE.match(text):
            if part:
                yield Line(name, started, {"text": "".join(part).strip(), "title": title})
            started, title, part = number, found[1], []
        else:
            part.append(text)
    if part:
        yield Line(name, started, {"text": "".join(part).strip(), "title": title})


def _numbered(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[tuple[int, str]]:
    for number, content in lines(as_utf8(stream, name), name, bounds):
        try:
            yield number, content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise not_utf8(name, number, error) from None


def _decoded(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[str]:
    """Every line, blank ones too: they may stand inside a quoted cell."""
    text = io.TextIOWrapper(as_utf8(stream, name), "utf-8", errors="surrogatepass", newline="")
    number = 0
    try:
        while line := text.readline(bounds.line):
            number += 1
            yield line
    except UnicodeDecodeError as error:
        raise not_utf8(name, number + 1, error) from None
