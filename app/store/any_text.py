"""Text from the web as it is, on any database.

PostgreSQL refuses U+0000 and neither database stores lone surrogates, yet passages contain both. They are
kept as an escape character from the private use area followed by four hexadecimal digits, and read back as
they were: what came in goes out.
"""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

ESCAPE = "\uf8f0"
_UNSTORABLE = re.compile(f"[\x00\ud800-\udfff{ESCAPE}]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")


def to_stored(text: str) -> str:
    """The text with every character that a database refuses escaped."""
    if text.isascii():
        if "\0" not in text:
            return text
    elif "\0" not in text and ESCAPE not in text:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass  # a lone surrogate
        else:
            return text  # nearly always, and many times faster than the expression
    return _UNSTORABLE.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def from_stored(text: str) -> str:
    """The inverse of `to_stored`."""
    if ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class AnyText(TypeDecorator[str]):
    """A text column that takes every Python string."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Escape on the way in."""
        return _write

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Unescape on the way out."""
        return _read


def _write(value: Any) -> Any:
    return to_stored(value) if isinstance(value, str) else value


def _read(value: Any) -> Any:
    return from_stored(value) if isinstance(value, str) else value
