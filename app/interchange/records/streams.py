"""Bytes out of files: compression seen by the first bytes, undone within bounds, and text brought to UTF-8."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from app.errors import UserError
from app.interchange.records.bounds import Bounds

HEAD = 1 << 16  # bytes that a format is recognised by
LAYERS = 3  # a compressed file in a compressed file, and no deeper
SIP = 1 << 13  # bytes that are decompressed at once
_AT_ONCE = 1 << 18
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


def _zstd(raw: BinaryIO) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


def _lz4(raw: BinaryIO) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "lz4")


COMPRESSIONS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
    b"\x04\x22\x4d\x18": _lz4,
}


class CountedBytes(io.RawIOBase):
    """A file that knows how many bytes were read from it, also where it cannot be sought in."""

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self.count = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As every raw stream: the next bytes, 0 at the end."""
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def close(self) -> None:
        """The file too."""
        self._inner.close()
        super().close()


class _Sips(CountedBytes):
    """Little at a time: what is read ahead is taken for what was needed, and hides what comes out of it."""

    def readinto(self, buffer: Any) -> int:
        """As every raw stream."""
        return super().readinto(memoryview(buffer)[:SIP])

    def taken(self) -> int:
        """How many bytes were decompressed."""
        return self.count

    def close(self) -> None:
        """Whoever reads through this does not own the file."""
        io.RawIOBase.close(self)


class Packed:
    """What came out of a compressed file so far, or out of all that stand in one archive; `taken` says what went in."""

    def __init__(self, taken: Callable[[], int]) -> None:
        self.taken, self.given = taken, 0


class _Inflated(io.RawIOBase):
    """What comes out of a compressed file; damage and excess are errors that name the file."""

    def __init__(self, inner: Any, packed: Packed, bounds: Bounds, name: str | Path) -> None:
        self._inner, self._packed, self._bounds, self._name = inner, packed, bounds, name

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As every raw stream: the next bytes, 0 at the end."""
        try:
            data = self._inner.read(len(buffer))
        except _DAMAGE as error:
            raise UserError(
                f"The file breaks off or is damaged ({error}).",
                file=self._name,
                remedy="Fetch or compress it again.",
            ) from None
        buffer[: len(data)] = data
        self._packed.given += len(data)
        self._check(self._packed.given)
        return len(data)

    def _check(self, given: int) -> None:
        bounds, most = self._bounds, self._bounds.total
        if most is not None and given > most:
            raise UserError(
                f"More than {most >> 20:,} MB come out of the compressed file.",
                file=self._name,
                remedy="Send it in parts, or import it on the server with `startrail import`.",
            )
        if given > bounds.free and given > bounds.ratio * self._packed.taken():
            raise UserError(
                f"More than {bounds.ratio} bytes come out of the file for each that is in it.",
                file=self._name,
                remedy="If it is a file that you trust, decompress it first.",
            )


def inflated(
    raw: CountedBytes, name: str | Path, bounds: Bounds, archive: Packed | None = None
) -> io.BufferedReader:
    """The file's bytes, decompressed as often as they are compressed.

    Args:
        archive: out of which the bytes come already decompressed.

    Raises:
        UserError: while it is read: it is damaged, or goes beyond the bounds.
    """
    stream: io.BufferedReader[Any] = io.BufferedReader(raw, _AT_ONCE)
    taken = archive.taken if archive else None
    if archive:
        stream = io.BufferedReader(_Inflated(stream, archive, bounds, name), _AT_ONCE)
    for _ in range(LAYERS):
        head = stream.peek(8)[:8]
        opener = next((make for magic, make in COMPRESSIONS.items() if head.startswith(magic)), None)
        if opener is None:
            break
        sips = _Sips(cast(BinaryIO, stream))
        taken = taken or sips.taken
        inner = _Inflated(opener(cast(BinaryIO, sips)), Packed(taken), bounds, name)
        stream = io.BufferedReader(inner, _AT_ONCE)
    return stream


class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, inner: BinaryIO, encoding: str, name: str | Path) -> None:
        self._inner, self._name, self._rest = inner, name, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._encoding = encoding

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As every raw stream: the next bytes, 0 at the end."""
        ended = False
        while not self._rest and not ended:
            data = self._inner.read(_AT_ONCE)
            ended = not data
            try:
                self._rest = self._decoder.decode(data, ended).encode("utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"The text is not {self._encoding.upper()}, as which it begins: {error.reason}.",
                    file=self._name,
                    remedy="Save the file as UTF-8.",
                ) from None
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def as_utf8(stream: io.BufferedReader, name: str | Path) -> io.BufferedReader:
    """The text as UTF-8 without a byte order mark; UTF-16 and UTF-32 are told by theirs, or by their zeros."""
    head = stream.peek(4)[:4]
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        return stream
    encoding = utf_of(head)
    return (
        io.BufferedReader(_Recoded(cast(BinaryIO, stream), encoding, name), _AT_ONCE) if encoding else stream
    )


def utf_of(head: bytes) -> str:
    """UTF-16 or UTF-32, if the text begins so; else empty."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) == 4 and head[1] == head[3] == 0 != head[0]:
        return "utf-16-le"
    if len(head) == 4 and head[0] == head[2] == 0 != head[1]:
        return "utf-16-be"
    return ""


def too_long(name: str | Path, number: int, bounds: Bounds, what: str) -> UserError:
    """The error for a line, a row or a passage that would fill the memory."""
    return UserError(
        f"The {what} is longer than {bounds.line >> 20} MB.",
        file=name,
        line=number,
        remedy="Write one record a line.",
    )


def lines(stream: io.BufferedReader, name: str | Path, bounds: Bounds) -> Iterator[tuple[int, bytes]]:
    """`(number, bytes)` of every line, blank ones left out.

    Raises:
        UserError: a line is longer than the bounds allow, or the file is damaged; the line is named.
    """
    number = 0
    try:
        while content := stream.readline(bounds.line + 1):
            number += 1
            if len(content) > bounds.line:
                raise too_long(name, number, bounds, "line")
            if not content.isspace():
                yield number, content
    except UserError as error:
        if error.line is None:
            error.line = number + 1
        raise
