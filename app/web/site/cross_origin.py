"""Which other sites' pages may read this one (CORS): what the operator lists, by default pages that this machine serves
to itself. Nobody's pages may write, and no visitor's rights go along: credentials are never allowed.

The default is not `*`: any page that somebody opens could then read a private site on their machine or network.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.settings import Settings
from app.web.site.hosts import origin_of
from app.web.site.middleware import HttpMiddleware

SHOWN = "Content-Disposition, Content-Range, ETag, Location, Retry-After, X-Row-Count"
SENT = "Accept, Authorization, If-Match, If-None-Match, If-Range, Range"
DAY = "86400"


class CrossOrigin(HttpMiddleware):
    """Tells browsers that a page of an allowed site may read the answer."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a browser's question before it (preflight) is answered here."""
        headers = Headers(scope=scope)
        origin, asks = headers.get("origin", ""), headers.get("access-control-request-method", "")
        if not origin or scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        allowed = may_read(origin, scope["app"].state.settings)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.add_vary_header("Origin")
                if allowed:
                    sent["Access-Control-Allow-Origin"] = origin
                    sent["Access-Control-Expose-Headers"] = SHOWN
            await send(message)

        if scope["method"] == "OPTIONS" and asks:
            told = {
                "Access-Control-Allow-Methods": "GET, HEAD",
                "Access-Control-Allow-Headers": SENT,
                "Access-Control-Max-Age": DAY,
            }
            await Response(status_code=204, headers=told if allowed else None)(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)


def may_read(origin: str, settings: Settings) -> bool:
    """Whether pages of this origin may read the site."""
    listed = settings.read_origins
    if "*" in listed:
        return True
    known = origin_of(origin)
    if known is None:
        return False
    return known in {origin_of(each) for each in listed} or ("loopback" in listed and _is_loopback(origin))


def _is_loopback(origin: str) -> bool:
    name = urlsplit(origin).hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
