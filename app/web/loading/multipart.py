"""A form with one file, streamed to disk as it arrives: never held in memory, refused as soon as possible."""

import shutil
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import UserError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELD_BYTES = 4096
LEFT = 256 << 20  # bytes of the disk that no file may take
_DRAIN = 512 << 20  # bytes still read after a refusal, so that a browser sees the answer and not a reset


@dataclass
class Received:
    """The form's text fields, and where its file was put; `filename` is what the sender calls it."""

    fields: dict[str, str]
    path: Path | None
    filename: str
    size: int


async def receive_form(
    stream: AsyncIterator[bytes],
    content_type: str,
    target: Path,
    *,
    limit: int,
    known: Collection[str],
    allow: Callable[[dict[str, str]], None],
) -> Received:
    """Read a `multipart/form-data` body; its file goes to `target`, which must be on a disk with room.

    Args:
        stream: the body in chunks.
        content_type: the header, with the boundary.
        target: where the file is written; removed again if anything is refused.
        limit: largest file in bytes.
        known: the fields there are.
        allow: called with the fields that came before the file; raises to refuse it before it is read.

    Raises:
        UserError: the body is no form, a field is unknown or there twice, it or the file is too large, or `allow` refused.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise UserError(
            "This is not a form with a file.",
            remedy="Send multipart/form-data with a field “file”.",
            status=415,
        )
    form = _Form(target, limit, known, allow)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())
    except FormParserError as error:
        raise UserError(f"The form cannot be read: {error}.", remedy="Send it again.", status=400) from None
    refusal: UserError | None = None
    drained = 0
    try:
        async for chunk in stream:
            if refusal is None:
                try:
                    await anyio.to_thread.run_sync(parser.write, chunk)
                except UserError as error:
                    refusal = error
                except FormParserError:
                    refusal = UserError("The form cannot be read.", remedy="Send it again.", status=400)
            else:
                drained += len(chunk)
                if drained > _DRAIN:
                    break
        if refusal is None and not form.ended:
            refusal = UserError("The upload stopped before its end.", remedy="Send it again.", status=400)
        if refusal is not None:
            raise refusal
        return Received(form.fields, target if form.has_file else None, form.filename, form.size)
    except BaseException:
        form.close()
        target.unlink(missing_ok=True)
        raise
    finally:
        form.close()


class _Form:
    """The parser's callbacks: text fields into a dictionary, the field `file` onto disk."""

    def __init__(
        self, target: Path, limit: int, known: Collection[str], allow: Callable[[dict[str, str]], None]
    ) -> None:
        self.target, self.limit, self.known, self.allow = target, limit, known, allow
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.size = 0
        self.has_file = self.ended = False
        self._header = [bytearray(), bytearray()]
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._file: BinaryIO | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._part,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = bytes(self._header[1])
        self._header = [bytearray(), bytearray()]

    def _part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if (
            self._name not in self.known
            or self._name in self.fields
            or (self._name == "file" and self.has_file)
        ):
            once = "more than once" if self._name in self.known else "which nobody knows"
            raise UserError(
                f"The form has a field “{self._name[:80]}” {once}.",
                remedy=f"It has {', '.join(self.known)}, each once.",
                field=self._name[:80],
            )
        if b"filename" in options and self._name == "file":
            self.allow(self.fields)
            self.filename = options[b"filename"].decode("utf-8", "replace")
            self.has_file = True
            self._file = self.target.open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            self._text += data[start:end]
            if len(self._text) > MAX_FIELD_BYTES:
                raise UserError("A field of the form is too long.", field=self._name, status=413)
            return
        self.size += end - start
        if self.size > self.limit:
            raise too_large(self.limit)
        self._file.write(memoryview(data)[start:end])

    def _part_end(self) -> None:
        if self._file is not None:
            self.close()
        else:
            self.fields[self._name] = self._text.decode("utf-8", "replace")
            self._text.clear()

    def _end(self) -> None:
        self.ended = True


def too_large(limit: int) -> UserError:
    """The refusal of a file larger than `limit` bytes."""
    return UserError(
        f"The file is larger than {limit >> 20} MB.",
        remedy="Use “startrail import FILE --run NAME” on the server, or ask the operator to raise "
        "STARTRAIL_UPLOAD_LIMIT_MB.",
        field="file",
        status=413,
    )


def need_room(directory: Path, size: int) -> None:
    """Refuse a file for which the disk has no room: so many bytes, and some left for everybody else.

    Raises:
        UserError: there is none (HTTP 507).
    """
    if shutil.disk_usage(directory).free < size + LEFT:
        raise UserError(
            "The server's disk is too full for this file.", remedy="Ask the operator.", status=507
        )
