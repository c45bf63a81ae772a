"""One record and where it stands: fields asked for by kind, errors that name file, line, field and remedy."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import UserError
from app.interchange.records.not_numbers import read_cell

Progress = Callable[[int, int], None]
"""Called with bytes read so far and in all (0: not known)."""
MOST = (1 << 63) - 1  # the largest whole number a column holds
EVERY = 500  # records between two signs of progress


@dataclass(frozen=True, slots=True)
class Line:
    """One record and where it stands.

    Args:
        number: the line of the file, of a table the row; from 1.
        typed: whether numbers and lists came as such; in CSV every value is a text.
        nulls: how many numbers of each field were NaN, and are null in the record; None: none.
    """

    file: Path | str
    number: int
    record: dict[str, Any]
    typed: bool = True
    nulls: Counter[str] | None = None

    def wrong(self, field: str | None, message: str, remedy: str) -> UserError:
        """The error for a field of this line."""
        return UserError(message, file=self.file, line=self.number, field=field, remedy=remedy)

    def text(self, field: str, *, optional: bool = False) -> Any:
        """A field that must be text; None where it is optional and missing.

        Raises:
            UserError: it is missing, or something else.
        """
        value = self.record.get(field)
        if optional and (value is None or (value == "" and not self.typed)):
            return None
        if value is None:
            raise self.wrong(field, "The field is missing.", f"Give every line a text “{field}”.")
        if not isinstance(value, str):
            raise self.wrong(field, f"{str(value)[:60]!r} is not text.", "Put it in quotes.")
        return value

    def texts(self, field: str) -> list[str]:
        """A field that must be a list of texts; empty where it is missing."""
        value = self.value(field)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(field, "The field is not a list of texts.", 'Write it as ["…", "…"].')
        return value

    def count(self, field: str) -> int | None:
        """A field that must be a whole number from 0 that a column holds; None where it is missing."""
        value = self.value(field)
        if value is None:
            return None
        if (
            isinstance(value, float) and value.is_integer()
        ):  # as pandas has whole numbers where some are missing
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
            raise self.wrong(
                field, f"{str(value)[:60]!r} is no count.", f"Give a whole number from 0 to {MOST}."
            )
        return value

    def value(self, field: str) -> Any:
        """The value; of a table of texts, what its text says: `["a"]`, as pandas writes it `['a']`, or `3`."""
        value = self.record.get(field)
        if self.typed or not isinstance(value, str):
            return value
        return read_cell(value)[0]


Lines = Iterator[Line]


def kind_of(value: Any) -> str:
    """What a value is, in words for messages."""
    names = {
        str: "text",
        int: "a number",
        float: "a number",
        bool: "true or false",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
