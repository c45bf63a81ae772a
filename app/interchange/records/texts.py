"""Plain texts: tables of text (CSV, TSV), passages by line, paragraph or file, and wikitext's articles."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from app.errors import UserError
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import not_utf8, too_many_fields
from app.interchange.records.line import Line
from app.interchange.records.streams import as_utf8, lines, too_long

DELIMITERS = ",;\t"
TITLE = re.compile(r" = (?!=)(.+?) = ?\n?$")


def read_table(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """The rows of a table whose first line names its columns; every value is a text.

    Raises:
        UserError: a row has more or fewer cells than the first, or a name stands twice; the line is named.
    """
    content = _Cells(stream, name, bounds)
    csv.field_size_limit(bounds.line)
    reader = csv.reader(content, delimiter=delimiter_of(content.first), strict=True)
    heads: list[str] = []
    number = 1
    try:
        for cells in reader:
            content.row_ends()
            if len(cells) > bounds.fields:
                raise too_many_fields(name, number, bounds)
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
    previous, passage = 0, _Passage(name, bounds)
    for number, text in _numbered(stream, name, bounds):
        if passage.parts and number > previous + 1:
            yield passage.line("\n")
            passage = _Passage(name, bounds)
        passage.add(number, text.rstrip())
        previous = number
    if passage.parts:
        yield passage.line("\n")


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
    title, passage = "", _Passage(name, bounds)
    for number, text in _numbered(stream, name, bounds):
        if found := TITLE.match(text):
            if passage.parts:
                yield passage.line("", title=title)
            title, passage = found[1], _Passage(name, bounds, number)
        else:
            passage.add(number, text)
    if passage.parts:
        yield passage.line("", title=title)


class _Passage:
    """The lines of one passage, and where it began."""

    def __init__(self, name: str | Path, bounds: Bounds, started: int = 0) -> None:
        self._name, self._bounds, self._started, self._size = name, bounds, started, 0
        self.parts: list[str] = []

    def add(self, number: int, text: str) -> None:
        """One more line.

        Raises:
            UserError: the passage is longer than the bounds allow a record.
        """
        self._started = self._started or number
        self.parts.append(text)
        self._size += len(text)
        if self._size > self._bounds.line:
            raise too_long(self._name, self._started, self._bounds, "passage")

    def line(self, between: str, **beside: str) -> Line:
        """The passage as a record."""
        return Line(self._name, self._started, {"text": between.join(self.parts).strip(), **beside})


def _numbered(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[tuple[int, str]]:
    for number, content in lines(as_utf8(stream, name), name, bounds):
        try:
            yield number, content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise not_utf8(name, number, error) from None


class _Cells:
    """Every line of a table, blank ones too: they may stand inside a quoted cell. No row goes beyond the bounds."""

    def __init__(self, stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> None:
        self._text = io.TextIOWrapper(as_utf8(stream, name), "utf-8", errors="surrogatepass", newline="")
        self._name, self._bounds, self._number, self._row = name, bounds, 0, 0
        self.first = self._ahead = self._next()

    def __iter__(self) -> "_Cells":
        return self

    def __next__(self) -> str:
        line, self._ahead = self._ahead or self._next(), ""
        if not line:
            raise StopIteration
        self._row += len(line)
        if self._row > self._bounds.line:
            raise too_long(self._name, self._number, self._bounds, "row")
        return line

    def row_ends(self) -> None:
        """What follows is the next row's."""
        self._row = 0

    def _next(self) -> str:
        try:
            line = self._text.readline(self._bounds.line + 1)
        except UnicodeDecodeError as error:
            raise not_utf8(self._name, self._number + 1, error) from None
        self._number += bool(line)
        return line
