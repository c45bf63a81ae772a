"""The one reader of records behind every way in: corpora, prompts and results, from files of any usual format.

`read_records` says what it saw, streams in bounded memory, and names file, line, field and remedy where it cannot go on.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from app.errors import UserError
from app.interchange.records.bounds import USUAL, Bounds
from app.interchange.records.formats import PASSAGES, Format, by_name, recognise
from app.interchange.records.line import EVERY, Line, Progress
from app.interchange.records.not_numbers import count
from app.interchange.records.record_file import RecordFile
from app.interchange.records.sources import find
from app.interchange.records.streams import CountedBytes, inflated

__all__ = ["USUAL", "Bounds", "Line", "Progress", "Reading", "read_records", "weigh"]
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Reading:
    """How records are read.

    Args:
        name: what messages call the file, where its path is not what the user knows.
        format: of `formats.FORMATS`; empty: told by the first bytes.
        split: of a data set with several, only this one.
        passages: what plain text is cut into: line, paragraph, or file; empty: a file where there are several.
        texts: whether plain text will do: a corpus is made of it, prompts and results are not.
        bounds: what a file may ask for.
        nulls: filled with how many numbers of each field were NaN, and are null in the records.
    """

    name: str = ""
    format: str = ""
    split: str = ""
    passages: str = ""
    texts: bool = True
    bounds: Bounds = USUAL
    nulls: Counter[str] = field(default_factory=Counter)


def read_records(
    where: Path | str | Sequence[Path | str], reading: Reading | None = None, progress: Progress | None = None
) -> Iterator[Line]:
    """Every record of the files, one after another, each file in its order.

    Args:
        where: one or several paths, globs, folders, archives, addresses (`s3://…`), `hf://datasets/OWNER/NAME`; `-` is standard
            input.
        progress: told bytes read and in all, as they are on disk.

    Raises:
        NotFound: there is no such file. UserError: it cannot be read; file, line (of a table: row) and field are named.
    """
    reading = reading or Reading()
    if reading.passages and reading.passages not in PASSAGES:
        raise UserError(
            f"Plain text is not cut into {reading.passages!r}.",
            field="passages",
            remedy=f"Use one of {', '.join(PASSAGES)}.",
        )
    sources = find([where] if isinstance(where, Path | str) else where, split=reading.split)
    total = sum(source.size for source in sources)
    unit = reading.passages or ("file" if len(sources) > 1 else "line")
    done = 0
    kind: Format | None = None
    for source in sources:
        name = reading.name if reading.name and len(sources) == 1 else source.name
        if not source.once and source.archive is None:
            _taste(source, name, reading.bounds)
        with closing(_opened(source)) as raw:
            stream = inflated(raw, name, reading.bounds, source.archive)
            own = _format(stream, source, name, unit, reading)
            kind = kind or own
            if own != kind:
                raise UserError(
                    f"This is {own.label}, the files before it are {kind.label}.",
                    file=name,
                    remedy="Add files of one kind at a time.",
                )
            for line in own.read(stream, name, reading.bounds):
                if progress and line.number % EVERY == 0:
                    progress(done + raw.count, total)
                if line.nulls:
                    count(reading.nulls, line.nulls)
                yield line
        done += source.size
    if progress:
        progress(done, total)


def weigh(where: Path | str | Sequence[Path | str], bounds: Bounds) -> int:
    """How many bytes come out of files once they are decompressed, read to their end and thrown away.

    Raises:
        NotFound: there is no such file. UserError: it is damaged, or goes beyond the bounds.
    """
    size = 0
    for source in find([where] if isinstance(where, Path | str) else where):
        with closing(_opened(source)) as raw:
            stream = inflated(raw, source.name, bounds, source.archive)
            while data := stream.read(_AT_ONCE):
                size += len(data)
    return size


def _taste(source: RecordFile, name: Path | str, bounds: Bounds) -> None:
    """Decompress as much of a file as is free, so that a bomb is refused before anything of it is kept: a tenth of a second."""
    with closing(_opened(source)) as raw:
        stream, size = inflated(raw, name, bounds), 0
        while stream.raw is not raw and size <= bounds.free and (data := stream.read(_AT_ONCE)):
            size += len(data)


def _opened(source: RecordFile) -> CountedBytes:
    try:
        return CountedBytes(source.open())
    except OSError as error:
        raise UserError(
            f"It cannot be opened: {error.strerror or error}.",
            file=source.name,
            remedy="Check its permissions.",
        ) from None


def _format(
    stream: BufferedReader, source: RecordFile, name: Path | str, unit: str, reading: Reading
) -> Format:
    """The format that was asked for, or the one that is seen; what must have fields is no plain text."""
    found = by_name(reading.format) if reading.format else recognise(stream, name, source.suffix, unit)
    return found if reading.texts or not found.texts else by_name("jsonl")
