"""JSON Lines, and arrays of JSON objects, a record at a time. A text in place of an object is a record of it alone."""

import codecs
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.interchange.records.bounds import Bounds
from app.interchange.records.line import Line, kind_of
from app.interchange.records.not_numbers import Numbers, without
from app.interchange.records.streams import as_utf8, lines

_BLOCK = 1 << 18  # bytes of an array read at once
_SPACE = " \t\n\r"
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?')  # a text in quotes, or the beginning of one


def read_json_lines(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """Every non-empty line as a record.

    Raises:
        UserError: a line is not a JSON object, or beyond the bounds; line and, where it is known, field are named.
    """
    decoder = Numbers()
    for number, content in lines(as_utf8(stream, name), name, bounds):
        yield _line(name, number, _record(name, number, content, bounds, decoder), decoder)


def read_json_array(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[Line]:
    """Every object of an array, wherever its lines break.

    Raises:
        UserError: as `read_json_lines`.
    """
    text = _Window(as_utf8(stream, name), name, bounds)
    text.expect("[")
    if text.next() == "]":
        text.expect("]")
    else:
        while True:
            text.next()
            number = text.line
            yield _line(name, number, _object(name, number, text.value(), bounds), text.decoder)
            if text.next() == "]":
                text.expect("]")
                break
            text.expect(",")
    if text.next():
        raise text.wrong("Something follows the end of the array.")


def read_json_object(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Line:
    """The one object that a file holds, wherever its lines break.

    Raises:
        UserError: as `read_json_lines`; or something follows it.
    """
    text = _Window(as_utf8(stream, name), name, bounds)
    text.next()
    read = _line(name, text.line, _object(name, text.line, text.value(), bounds), text.decoder)
    if text.next():
        raise text.wrong("Something follows the object.")
    return read


class _Window:
    """As much of a text as one record needs."""

    def __init__(self, stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> None:
        self._stream, self._name, self._bounds = stream, name, bounds
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogatepass").decode
        self._text, self._at, self._ended = "", 0, False
        self.line, self.decoder = 1, Numbers()

    def next(self) -> str:
        """The next character that is not white space, not taken; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._take(1)
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def expect(self, character: str) -> None:
        """Take this character."""
        found = self.next()
        if found != character:
            raise self.wrong(
                f"{found!r} stands where {character!r} belongs." if found else "The array breaks off."
            )
        self._take(1)

    def value(self) -> Any:
        """Take the next value."""
        while True:
            try:
                value, end = self.decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended:
                    raise self.wrong(f"This is not JSON: {error.msg}.") from None
                if len(self._text) - self._at > self._bounds.line:
                    raise self.wrong(f"The record is longer than {self._bounds.line >> 20} MB.") from None
                if len(self._text) - self._at > self._bounds.values:
                    _few(self._name, self.line, self._text[self._at :], self._bounds)
                self._more(len(self._text) - self._at)
            except ValueError as error:
                raise self.wrong(
                    f"This is not JSON: {error}.", "Write null for a number that is not known."
                ) from None
            except RecursionError:
                raise too_deep(self._name, self.line, self._bounds) from None
            else:
                if end - self._at > self._bounds.values:
                    _few(self._name, self.line, self._text[self._at : end], self._bounds)
                self._take(end - self._at)
                return value

    def wrong(self, message: str, remedy: str = "Write [{…}, {…}], or one JSON object a line.") -> UserError:
        return UserError(message, file=self._name, line=self.line, remedy=remedy)

    def _take(self, count: int) -> None:
        self.line += self._text.count("\n", self._at, self._at + count)
        self._at += count

    def _more(self, least: int = 0) -> None:
        data = self._stream.read(max(_BLOCK, least))
        self._ended = not data
        try:
            self._text = self._text[self._at :] + self._decode(data, self._ended)
        except UnicodeDecodeError as error:
            raise not_utf8(self._name, self.line, error) from None
        self._at = 0


def _line(file: Path | str, number: int, record: dict[str, Any], decoder: Numbers) -> Line:
    """The record as a line, with null for what was NaN in it."""
    if not decoder.met:
        return Line(file, number, record)
    decoder.met = False
    made, nulls = without(record)
    return Line(file, number, made, nulls=nulls)


def _record(
    file: Path | str, number: int, content: bytes, bounds: Bounds, decoder: Numbers
) -> dict[str, Any]:
    try:
        text = content.decode("utf-8", "surrogatepass")  # lone surrogates are let in
        if len(text) > bounds.values:
            _few(file, number, text, bounds)
        return _object(file, number, decoder.decode(text), bounds)
    except UnicodeDecodeError as error:
        raise not_utf8(file, number, error) from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"The line is not JSON: {error.msg} at column {error.colno}.",
            file=file,
            line=number,
            remedy="Write one JSON object a line.",
        ) from None
    except ValueError as error:  # of `Numbers`
        raise UserError(
            f"The line is not JSON: {error}.",
            file=file,
            line=number,
            field=_not_finite(text),
            remedy="Write null where a number is not known.",
        ) from None
    except RecursionError:
        raise too_deep(file, number, bounds) from None


def _object(file: Path | str, number: int, value: Any, bounds: Bounds) -> dict[str, Any]:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        raise UserError(
            f"This is {kind_of(value)}, not a JSON object.",
            file=file,
            line=number,
            remedy="Write one JSON object a line.",
        )
    if len(value) > bounds.fields:
        raise too_many_fields(file, number, bounds)
    if (field := deep(value, bounds.depth)) is not None:
        raise too_deep(file, number, bounds, field)
    return value


def _few(file: Path | str, number: int, text: str, bounds: Bounds) -> None:
    """Refuse a text before it becomes many values: what stands between quotes does not count.

    Raises:
        UserError: there are more than the bounds allow.
    """
    if _marks(text) > bounds.values and _marks(_QUOTED.sub("", text)) > bounds.values:
        raise UserError(
            f"The record has more than {bounds.values:,} values.",
            file=file,
            line=number,
            remedy="Write one record a line.",
        )


def _marks(text: str) -> int:
    return sum(map(text.count, ",[{"))


def deep(record: dict[str, Any], most: int) -> str | None:
    """The first field with more than `most` lists and objects inside one another."""
    for field, value in record.items():
        if type(value) is not dict and type(value) is not list:
            continue
        level = [value]
        for _ in range(most):
            level = [
                inner
                for each in level
                if type(each) is dict or type(each) is list
                for inner in (each.values() if type(each) is dict else each)
                if type(inner) is dict or type(inner) is list
            ]
            if not level:
                break
        else:
            return field
    return None


def too_deep(file: Path | str, number: int, bounds: Bounds, field: str | None = None) -> UserError:
    """The error for lists in lists in lists."""
    return UserError(
        f"It is nested deeper than {bounds.depth} lists or objects.",
        file=file,
        line=number,
        field=field,
        remedy="Write one flat JSON object a line.",
    )


def too_many_fields(file: Path | str, number: int, bounds: Bounds) -> UserError:
    """The error for a record that is no record."""
    return UserError(
        f"It has more than {bounds.fields:,} fields.",
        file=file,
        line=number,
        remedy="Put what belongs together into one field, as a list or an object.",
    )


def not_utf8(file: Path | str, number: int, error: UnicodeDecodeError) -> UserError:
    """The error for bytes that are no text."""
    return UserError(
        f"The line is not UTF-8: {error.reason}.", file=file, line=number, remedy="Save the file as UTF-8."
    )


def _not_finite(text: str) -> str | None:
    """The field of a record that holds an infinite number."""

    def inside(value: Any) -> bool:
        if isinstance(value, float):
            return math.isinf(value)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return any(map(inside, inner))

    try:
        record = json.loads(text)
        return next((name for name, value in record.items() if inside(value)), None)
    except (ValueError, AttributeError, RecursionError):
        return None
