"""Answers of an API as people save them: one a line, or one written over several lines."""

from collections.abc import Iterator
from pathlib import Path

from app.interchange.records import Line, read_records
from app.interchange.records.bounds import Bounds
from app.interchange.records.json_text import read_json_object


def responses(path: Path) -> Iterator[Line]:
    """The answers in the file, in order.

    Raises:
        UserError: it cannot be read, or is no JSON.
    """
    with path.open("rb") as file:
        if file.readline(10).strip() == b"{":
            file.seek(0)
            yield read_json_object(file, path, Bounds())
            return
    yield from read_records(path)
