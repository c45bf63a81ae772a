"""Connections held within bounds: how many one client may have open, how long it may take to say what it wants, and how
long it may leave an answer unread. Whoever opens connections and says nothing would else fill the site with them.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.settings import get_settings, trusted

_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 10\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 46\r\n\r\n"
    b"You have too many connections open here. Wait."
)
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedConnection(H11Protocol):
    """One connection of one client. Addresses of trusted proxies, which speak for many, may have any number."""

    HEAD_SECONDS = (
        20.0  # for a request's first line and headers, from their first byte or the connection's beginning
    )
    UNREAD_SECONDS = 60.0  # that a reader may take nothing of an answer that waits for it
    _head_due: asyncio.TimerHandle | None = None
    _read_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Count it; one too many is told so and closed."""
        super().connection_made(transport)
        settings = get_settings()
        client = self.client[0] if self.client else ""
        others = (each.client for each in self.connections if isinstance(each, BoundedConnection))
        own = sum(1 for each in others if each and each[0] == client)
        if own > settings.connections_per_client and not trusted(client, settings.trusted_proxies):
            transport.write(_TOO_MANY)
            transport.close()
        else:
            self._head_due = self.loop.call_later(self.HEAD_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """As usual; the clock runs while headers are not whole."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_due = _stop(self._head_due)
        elif self._head_due is None:
            self._head_due = self.loop.call_later(self.HEAD_SECONDS, self._give_up)

    def pause_writing(self) -> None:
        """The reader has not taken what was sent."""
        super().pause_writing()
        self._read_due = self._read_due or self.loop.call_later(self.UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader took it."""
        super().resume_writing()
        self._read_due = _stop(self._read_due)

    def connection_lost(self, exc: Exception | None) -> None:
        """No clock runs on."""
        self._head_due, self._read_due = _stop(self._head_due), _stop(self._read_due)
        super().connection_lost(exc)

    def _give_up(self) -> None:
        self._head_due = None
        if not self.transport.is_closing():
            if self.conn.trailing_data[0]:  # who has said nothing is answered nothing
                self.transport.write(_TOO_SLOW)
            self.transport.close()


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer, in the place of this one."""
    if timer is not None:
        timer.cancel()
    return None
