"""How long a sender may take with what it sends: who stops in the middle gives its place back. Pure ASGI."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import UserError

BETWEEN = 30.0  # seconds between two pieces of a body
WHOLE = 900.0  # seconds for all of it


class Patience:
    """Ends the wait for the rest of a body; the wait for a reader to leave has no end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        ends, more = time.monotonic() + WHOLE, True

        async def in_time() -> Message:
            nonlocal more
            if not more:
                return await receive()
            try:
                async with asyncio.timeout(min(BETWEEN, max(0.0, ends - time.monotonic()))):
                    message = await receive()
            except TimeoutError:
                raise UserError("The rest did not come.", remedy="Send it again.", status=408) from None
            more = bool(message.get("more_body"))
            return message

        await self.app(scope, in_time, send)
