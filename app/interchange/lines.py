"""JSON Lines from a file, gzipped or not, a line at a time, with errors that name file, line, field and remedy."""

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from app.errors import UserError

Progress = Callable[[int, int], None]
"""Called with bytes read so far and in all."""
GZIP_MAGIC = b"\x1f\x8b"
READ_AT_ONCE = 1 << 20  # bytes
MOST = (1 << 31) - 1  # the largest whole number a column holds
EVERY = 500  # lines between two signs of progress


@dataclass(frozen=True)
class Line:
    """One record and where it stands."""

    file: Path | str
    number: int
    record: dict[str, Any]

    def wrong(self, field: str, message: str, remedy: str) -> UserError:
        """The error for a field of this line."""
        return UserError(message, file=self.file, line=self.number, field=field, remedy=remedy)

    def text(self, field: str, *, optional: bool = False) -> Any:
        """A field that must be text; None where it is optional and missing.

        Raises:
            UserError: it is missing, or something else.
        """
        value = self.record.get(field)
        if value is None and optional:
            return None
        if value is None:
            raise self.wrong(field, "The field is missing.", f"Give every line a text “{field}”.")
        if not isinstance(value, str):
            raise self.wrong(field, f"{str(value)[:60]!r} is not text.", "Put it in quotes.")
        return value

    def texts(self, field: str) -> list[str]:
        """A field that must be a list of texts; empty where it is missing."""
        value = self.record.get(field)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(field, "The field is not a list of texts.", 'Write it as ["…", "…"].')
        return value

    def count(self, field: str) -> int | None:
        """A field that must be a whole number from 0 that a column holds; None where it is missing."""
        value = self.record.get(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
            raise self.wrong(
                field, f"{str(value)[:60]!r} is no count.", f"Give a whole number from 0 to {MOST}."
            )
        return value


def read_lines(file: Path, progress: Progress | None = None, *, name: str | None = None) -> Iterator[Line]:
    """Every non-empty line of the file as a record.

    Args:
        name: the file's name in messages, where the path is not the one the user knows.

    Raises:
        UserError: the file is missing or damaged, or a line is not a JSON object.
    """
    if not file.is_file():
        raise UserError("There is no such file.", file=file, remedy="Check the path.")
    shown = name or file
    total = file.stat().st_size
    with file.open("rb", buffering=READ_AT_ONCE) as raw:
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
        number = 0
        try:
            for number, content in enumerate(stream, start=1):
                if not content.isspace():
                    yield Line(shown, number, _record(shown, number, content))
                if progress and number % EVERY == 0:
                    progress(raw.tell(), total)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(
                f"The file breaks off or is damaged ({error}).",
                file=shown,
                line=number + 1,
                remedy="Fetch or compress it again.",
            ) from None
    if progress:
        progress(total, total)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _record(file: Path | str, number: int, content: bytes) -> dict[str, Any]:
    try:
        # As json.loads: lone surrogates are let in, and a byte order mark at the start of the file.
        text = content.decode("utf-8-sig" if number == 1 else "utf-8", "surrogatepass")
        record = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise UserError(
            f"The line is not UTF-8: {error.reason}.",
            file=file,
            line=number,
            remedy="Save the file as UTF-8.",
        ) from None
    except ValueError as error:
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(
            f"The line is not JSON: {getattr(error, 'msg', error)}{place}.",
            file=file,
            line=number,
            remedy="Write one JSON object a line.",
        ) from None
    except RecursionError:
        raise UserError(
            "The line is nested too deep.",
            file=file,
            line=number,
            remedy="Write one flat JSON object a line.",
        ) from None
    if not isinstance(record, dict):
        raise UserError(
            "The line is not a JSON object.", file=file, line=number, remedy="Write one JSON object a line."
        )
    return record
