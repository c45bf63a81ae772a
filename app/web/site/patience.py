"""How long a sender may take with what it sends: who stops in the middle gives its place back."""

import asyncio
import time

from starlette.types import Message, Receive, Scope, Send

from app.errors import UserError
from app.web.site.middleware import HttpMiddleware

BETWEEN = 30.0  # seconds between two pieces of a body
WHOLE = 900.0  # seconds for all of it


class Patience(HttpMiddleware):
    """Ends the wait for the rest of a body; the wait for a reader to leave has no end."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
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
