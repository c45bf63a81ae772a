"""HEAD wherever GET answers: the same page is made, its headers are sent and its body is not. Pure ASGI."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED = "startrail.head"  # in the scope: nobody reads what is made


class HeadMiddleware:
    """Asks the application for GET and sends what stands before the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a stream is stopped as soon as its headers are known."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
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
