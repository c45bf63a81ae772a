"""Answers that are files, whole or in part, and the one rule by which any answer is not sent twice: its ETag."""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.errors import UserError
from app.web.site.long_answers import in_turn

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "bib": "application/x-bibtex; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
FOR_EVER = "public, max-age=31536000, immutable"  # Cache-Control of what changes its address when it changes
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_IN_MEMORY = 8 << 20  # bytes of a file of which a part is asked for; the rest waits on the disk
_CHUNK = 1 << 16


class NotInRange(UserError):
    """The file ends before the part that was asked for (HTTP 416)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size:,} bytes.", remedy="Ask for a part of these.", status=416)
        self.headers = {"Content-Range": f"bytes */{size}"}


class NotWhatIsThere(UserError):
    """The file is none of those that the reader has (HTTP 412)."""

    def __init__(self) -> None:
        super().__init__(
            "What is here is not what If-Match names.",
            remedy="Ask again without it; a tag that begins with W/ names nothing to the byte.",
            status=412,
        )


def etag(*parts: object) -> str:
    """A weak ETag over what decides the answer's content."""
    said = b"".join(
        part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass") for part in parts
    )
    return f'W/"{hashlib.sha256(said).hexdigest()[:24]}"'


def known_already(request: Request, tag: str) -> bool:
    """Whether the reader's copy is the current one: If-None-Match by RFC 9110, weakly compared."""
    held = [each.removeprefix("W/") for each in _listed(request, "if-none-match")]
    return "*" in held or tag.removeprefix("W/") in held


def need_match(request: Request, tag: str) -> None:
    """Refuse what is there unless If-Match names it: by RFC 9110, strongly compared, before every other condition.

    Raises:
        NotWhatIsThere: it names something else, or only the weak tag of what may differ in its bytes.
    """
    wanted = _listed(request, "if-match")
    if wanted and "*" not in wanted and (tag.startswith("W/") or tag not in wanted):
        raise NotWhatIsThere


def _listed(request: Request, header: str) -> list[str]:
    return [each.strip() for line in request.headers.getlist(header) for each in line.split(",")]


def unless_known(
    request: Request,
    tag: str,
    body: bytes | Iterable[bytes],
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The body, or 304 with the same headers where the reader has it. Chunks are not asked for on 304.

    Raises:
        NotWhatIsThere: see `need_match`.
    """
    need_match(request, tag)
    sent = {"ETag": tag, "Cache-Control": "no-cache", **(headers or {})}
    if known_already(request, tag):
        return Response(status_code=304, headers=sent)
    if isinstance(body, bytes):
        return Response(body, media_type=media_type, headers=sent)
    packed = tag.startswith("W/") and "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        sent |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return StreamingResponse(in_turn(body, packed=packed), media_type=media_type, headers=sent)


def download(
    request: Request, name: str, kind: str, chunks: Iterable[bytes], *, tag: str, rows: int
) -> Response:
    """The chunks as a file called `name.kind`, or the part of it that `Range` asks for; 304 where the reader has it already.

    `chunks` may open a store session when first asked; it is never asked on 304. Equal tags must mean equal bytes.

    Raises:
        NotInRange: the file is shorter than the part asked for. NotWhatIsThere: see `need_match`.
    """
    headers = {
        "Content-Disposition": disposition(f"{name}.{kind}"),
        "X-Row-Count": str(rows),
        "Accept-Ranges": "bytes",
        "Vary": "Accept-Encoding",
    }
    wanted = _RANGE.fullmatch(request.headers.get("range", "").strip())
    exact = wanted is not None or "if-match" in request.headers
    if exact or "gzip" not in request.headers.get("accept-encoding", ""):
        tag = tag.removeprefix("W/")  # the bytes are sent as they are, so parts of them fit together
    if exact:  # nothing on the way may compress what has a strong tag, or a part as if it were a whole
        headers["Content-Encoding"] = "identity"
    need_match(request, tag)
    if wanted is None or known_already(request, tag) or request.headers.get("if-range", tag) != tag:
        return unless_known(request, tag, chunks, TYPES[kind], headers)
    return _part(wanted, chunks, TYPES[kind], {"ETag": tag, "Cache-Control": "no-cache", **headers})


def _part(
    wanted: re.Match[str], chunks: Iterable[bytes], media_type: str, headers: dict[str, str]
) -> Response:
    """One part. Where it ends is known only when all was made, so all is, once, and laid aside."""
    spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # closed when it was sent
    for chunk in chunks:
        spool.write(chunk)
    size = spool.tell()
    start, end = _bounds(wanted, size)
    if start > end:
        spool.close()
        raise NotInRange(size)
    spool.seek(start)
    length = end - start + 1
    sent = {
        **headers,
        "Content-Range": f"bytes {start}-{end}/{size}",
        "Content-Length": str(length),
    }
    return StreamingResponse(_read(spool, length), 206, sent, media_type)


def _bounds(wanted: re.Match[str], size: int) -> tuple[int, int]:
    """First and last byte; the first behind the last where there is no such part."""
    first, last, final = wanted.groups()
    if final is not None:
        return max(0, size - int(final)), size - 1 if int(final) else -1
    return int(first), min(int(last) if last else size - 1, size - 1)


def _read(spool: IO[bytes], length: int) -> Iterator[bytes]:
    with spool:
        while length > 0 and (chunk := spool.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk


def disposition(filename: str) -> str:
    """A Content-Disposition that names the file, for old readers and in UTF-8."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", filename).strip("-.") or "export"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
