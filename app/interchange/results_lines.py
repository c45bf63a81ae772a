"""The records of a results file as they come: under the format's names, and as many as the file says."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from app.errors import UserError
from app.interchange.fields import Fields, renamed
from app.interchange.records import Line, Progress, Reading, read_records

END = "end_of_export"  # our own exports say in the last record how many there are
FORMATS = {
    "id": "example_id",
    "prompt": "inputs_plaintext",
    "target": "targets_plaintext",
    "text": "proponents",
}
"""What a field that was named by its option is called in the format."""


def result_lines(
    path: Path | str, reading: Reading, fields: Fields | None = None, progress: Progress | None = None
) -> Iterator[Line]:
    """Every record, each field under the format's name.

    Raises:
        UserError: a record cannot be read, or has no field of a name that was given.
    """
    lines = read_records(path, replace(reading, texts=False), progress)
    return renamed(lines, fields or Fields(), FORMATS)


def whole(lines: Iterator[Line], file: str) -> Generator[Line, None, None]:
    """The lines; where the file says how many there must be, all of them. With an error the file is closed, too."""
    try:
        yield from _counted(lines, file)
    finally:
        if isinstance(
            lines, Generator
        ):  # else the error would keep it open for as long as somebody looks at it
            lines.close()


def _counted(lines: Iterator[Line], file: str) -> Iterator[Line]:
    count, ended = 0, None
    for line in lines:
        if ended is not None:
            raise line.wrong(END, f"Line {ended} says that it is the last.", "Import the files one by one.")
        count += 1
        if END in line.record:
            said, ended = line.record.pop(END), line.number
            if said != count:
                raise line.wrong(
                    END,
                    f"{said} records are announced, {count} are here: the file was cut.",
                    "Export it again.",
                )
        yield line
    if not count:
        raise UserError(
            "The file has no record.", file=file, remedy="Give a file with one JSON object a line."
        )
