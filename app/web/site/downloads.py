"""Answers that are files, and the one rule by which any answer is not sent twice: its ETag."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
    "bib": "application/x-bibtex; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
FOR_EVER = "public, max-age=31536000, immutable"  # Cache-Control of what changes its address when it changes


def etag(*parts: object) -> str:
    """A weak ETag over what decides the answer's content."""
    said = b"".join(
        part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass") for part in parts
    )
    return f'W/"{hashlib.sha256(said).hexdigest()[:24]}"'


def known_already(request: Request, tag: str) -> bool:
    """Whether the reader's copy is the current one: If-None-Match by RFC 9110, weakly compared."""
    held = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return "*" in held or tag.removeprefix("W/") in held


def unless_known(
    request: Request,
    tag: str,
    body: bytes | Iterable[bytes],
    media_type: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The body, or 304 with the same headers where the reader has it. Chunks are not asked for on 304."""
    sent = {"ETag": tag, "Cache-Control": "no-cache", **(headers or {})}
    if known_already(request, tag):
        return Response(status_code=304, headers=sent)
    if isinstance(body, bytes):
        return Response(body, media_type=media_type, headers=sent)
    return StreamingResponse(body, media_type=media_type, headers=sent)


def download(
    request: Request, name: str, kind: str, chunks: Iterable[bytes], *, tag: str, rows: int
) -> Response:
    """The chunks as a file called `name.kind`; 304 where the reader has it already.

    `chunks` may open a store session when first asked; it is never asked on 304.
    """
    headers = {"Content-Disposition": disposition(f"{name}.{kind}"), "X-Row-Count": str(rows)}
    return unless_known(request, tag, chunks, TYPES[kind], headers)


def disposition(filename: str) -> str:
    """A Content-Disposition that names the file, for old readers and in UTF-8."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", filename).strip("-.") or "export"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
