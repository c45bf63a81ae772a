"""Headers that keep hostile text harmless."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from app.web.site.middleware import HttpMiddleware

# No inline script, no inline style, nothing from elsewhere: a passage that slipped through would still run nothing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# For evidence that other sites show in a frame: they may, and no link leads on inside it.
FRAMED = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
ALWAYS = {"X-Content-Type-Options": "nosniff"}
HEADERS = ALWAYS | {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# What a browser never takes for a document: what the headers say of one is a twentieth of a first visit's bytes.
PARTS = ("text/css", "text/javascript", "font/woff2")


class SecurityHeaders(HttpMiddleware):
    """Adds the headers to every response; stands outside everything, so that the page about a fault has them too."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                part = headers.get("content-type", "").partition(";")[0] in PARTS
                for name, value in (ALWAYS if part else HEADERS).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
