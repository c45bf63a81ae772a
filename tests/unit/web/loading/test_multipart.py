"""A form with a file, streamed to disk: whole or not at all."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import httpx
import pytest

from app.errors import UserError
from app.web.loading.multipart import Received, receive_form


def receive(
    body: bytes,
    kind: str,
    target: Path,
    *,
    limit: int = 1 << 20,
    chunk: int = 7,
    allow: Callable = lambda fields: None,
) -> Received:
    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(body), chunk):
            yield body[at : at + chunk]

    async def go() -> Received:
        return await receive_form(
            stream(), kind, target, limit=limit, known=("token", "run", "file"), allow=allow
        )

    return anyio.run(go)


def form(data: dict[str, str], name: str, content: bytes) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x", data=data, files={"file": (name, content)})
    return request.read(), request.headers["content-type"]


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_fields_and_file_arrive_whole_however_the_network_cuts_them(chunk: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20 + b"\r\n--not-the-boundary\r\n"
    body, kind = form({"token": "s3cret", "run": "näme"}, "résumé.jsonl", content)
    got = receive(body, kind, tmp_path / "f", chunk=chunk)
    assert got.fields == {"token": "s3cret", "run": "näme"}
    assert got.filename == "résumé.jsonl"
    assert (tmp_path / "f").read_bytes() == content
    assert got.size == len(content)


def test_the_token_is_asked_before_the_file_is_written(tmp_path: Path) -> None:
    """Nobody fills the disk without the token, not even for a moment."""

    def refuse(fields: dict[str, str]) -> None:
        assert fields == {"token": "wrong"}
        assert not (tmp_path / "f").exists()
        raise UserError("Wrong token.", status=403)

    body, kind = form({"token": "wrong"}, "f.jsonl", b"x" * 10_000)
    with pytest.raises(UserError, match="Wrong token"):
        receive(body, kind, tmp_path / "f", allow=refuse)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body: body, 413),
        (lambda body: body[:300], 400),
        (lambda body: b"garbage" + body[40:], 400),
        (lambda body: b"", 400),
    ],
)
def test_a_broken_or_large_body_leaves_nothing_behind(change: Callable, status: int, tmp_path: Path) -> None:
    body, kind = form({"run": "r"}, "f.jsonl", b"x" * 10_000)
    with pytest.raises(UserError) as caught:
        receive(change(body), kind, tmp_path / "f", limit=5000)
    assert caught.value.status == status
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [{"runs": "r"}, {"file": "text"}])
def test_a_field_that_is_unknown_or_there_twice_is_refused_by_name(
    more: dict[str, str], tmp_path: Path
) -> None:
    """A misspelt name of the run was passed over, and of two files the second was read as text."""
    body, kind = form(more, "f.jsonl", b"x")
    with pytest.raises(UserError) as caught:
        receive(body, kind, tmp_path / "f")
    assert (caught.value.field, caught.value.status) == (next(iter(more)), 422)
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_is_no_form_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        receive(b"{}", "application/json", tmp_path / "f")
    assert caught.value.status == 415


def test_a_form_without_a_file_has_no_path(tmp_path: Path) -> None:
    request = httpx.Request("POST", "http://x", files={"run": (None, b"r")})
    got = receive(request.read(), request.headers["content-type"], tmp_path / "f")
    assert got.path is None
    assert got.fields == {"run": "r"}
