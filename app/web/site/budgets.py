"""How much of the site one kind of request may take, so that no kind starves the others.

Each kind has so many places. Who finds none waits a little, then gets 503 with Retry-After: an answer in seconds is worth
more than a place in a line that nobody sees the end of. Places are of one process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from app.errors import UserError

PLACES = {"exports": 4, "streams": 256, "searches": 4}
PATIENCE = 5.0  # seconds


class Busy(UserError):
    """There is no place now (HTTP 503); `retry_after` is in seconds."""

    def __init__(self, kind: str, retry_after: int = 10) -> None:
        super().__init__(
            f"Too many {kind} are under way.", remedy=f"Try again in {retry_after} seconds.", status=503
        )
        self.retry_after = retry_after


class Budgets:
    """The places of one application."""

    def __init__(self) -> None:
        self._places = {kind: asyncio.Semaphore(many) for kind, many in PLACES.items()}

    @asynccontextmanager
    async def place(self, kind: str) -> AsyncIterator[None]:
        """A place for as long as the block lasts.

        Raises:
            Busy: none became free in time.
        """
        places = self._places[kind]
        try:
            async with asyncio.timeout(PATIENCE):
                await places.acquire()
        except TimeoutError:
            raise Busy(kind) from None
        try:
            yield
        finally:
            places.release()


async def exporting(request: Request) -> AsyncIterator[None]:
    """A file is being sent; the place is taken until its last byte."""
    async with request.app.state.budgets.place("exports"):
        yield


async def streaming(request: Request) -> AsyncIterator[None]:
    """A reader watches."""
    async with request.app.state.budgets.place("streams"):
        yield


async def searching(request: Request) -> AsyncIterator[None]:
    """The store is searched, if the query asks for words or an expression."""
    if request.query_params.get("q") or request.query_params.get("where"):
        async with request.app.state.budgets.place("searches"):
            yield
    else:
        yield
