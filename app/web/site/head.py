"""HEAD wherever GET answers: the same page is made, its headers are sent and its body is not."""

import anyio
from starlette.types import Message, Receive, Scope, Send

from app.web.site.middleware import HttpMiddleware

ASKED = "startrail.head"  # in the scope: nobody reads what is made


class HeadMiddleware(HttpMiddleware):
    """Asks the application for GET and sends what stands before the body."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a stream is stopped as soon as its headers are known."""
        if scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        with anyio.CancelScope() as asked:

            async def headers_only(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                elif message["type"] == "http.response.body" and not asked.cancel_called:
                    await send({"type": "http.response.body", "body": b""})
                    if message.get("more_body"):
                        asked.cancel()

            await self.app({**scope, "method": "GET", ASKED: True}, receive, headers_only)
