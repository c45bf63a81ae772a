"""Connections that say nothing, little, or listen to nothing give their places back: tried with bare sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.settings import get_settings
from app.upkeep.connections import BoundedConnection

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
ended = threading.Event()


class Hasty(BoundedConnection):
    """As the site's, for a test that does not wait."""

    HEAD_SECONDS = UNREAD_SECONDS = 0.4


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends `ok`, or at /long more than any buffer holds."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2000 if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": b"a" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})
    ended.set()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("STARTRAIL_CONNECTIONS_PER_CLIENT", "3")
    monkeypatch.setenv("STARTRAIL_TRUSTED_PROXIES", "10.0.0.1")
    get_settings.cache_clear()
    options: dict[str, Any] = {"http": Hasty, "log_level": "critical", "lifespan": "off"}
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(application, **options))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)
    get_settings.cache_clear()


def opened(port: int, *said: bytes) -> socket.socket:
    """A connection on which something was said."""
    connection = socket.create_connection(("127.0.0.1", port), 5)
    for each in said:
        connection.sendall(each)
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def drip(connection: socket.socket) -> None:
    """A letter of a header now and then, for ever."""
    while True:
        connection.sendall(b"X")
        time.sleep(0.05)


def test_who_says_nothing_or_never_ends_is_let_go(port: int) -> None:
    assert heard(opened(port)) == b""
    assert heard(opened(port, GET)).startswith(b"HTTP/1.1 408 ")
    began = time.monotonic()
    with opened(port, GET) as connection, pytest.raises(ConnectionError):
        drip(connection)
    assert time.monotonic() - began < 2


def test_a_connection_that_is_kept_has_the_time_anew(port: int) -> None:
    with opened(port, GET + b"\r\n") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.6)  # longer than headers may take; between two requests nothing is owed
        connection.sendall(GET + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(GET)
        assert b"408" in heard(connection)


def test_one_client_has_so_many_and_a_place_that_is_left_is_free(port: int) -> None:
    with ExitStack() as kept:
        for _ in range(3):
            first = kept.enter_context(opened(port, GET + b"\r\n"))
            assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert heard(opened(port)).startswith(b"HTTP/1.1 503 ")
    time.sleep(0.1)
    assert heard(opened(port, GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    """Four such readers held all places for exports, for as long as they liked."""
    ended.clear()
    with opened(port, b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        assert ended.wait(5)
