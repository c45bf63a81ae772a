"""Behind a proxy: what it says of the request, believed of trusted addresses only. It stands outside everything.

Afterwards the request's scheme, host, client and path are those that the reader's browser knows, and every address that
`urls` makes begins with the path under which the proxy shows the site.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Receive, Scope, Send

from app.settings import Settings, trusted
from app.web.site import urls
from app.web.site.middleware import HttpMiddleware

# A path of plain names: it is repeated in every address of a page, so nothing else may come in by a header.
_PREFIX = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+")


class Proxied(HttpMiddleware):
    """Reads X-Forwarded-Host, -Proto, -Prefix and -For."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as the reader sent it."""
        settings: Settings = scope["app"].state.settings
        scope = {**scope, "direct_client": scope.get("client")}
        prefix = _unwrapped(scope, settings)
        _place(scope, prefix)
        token = urls.ROOT.set(prefix)
        try:
            await self.app(scope, receive, send)
        finally:
            urls.ROOT.reset(token)


def _unwrapped(scope: Scope, settings: Settings) -> str:
    """Put what a trusted proxy says in place; returns the path that the site is shown under."""
    client = scope.get("client")
    if client is None or not trusted(client[0], settings.trusted_proxies):
        return settings.root
    headers = Headers(scope=scope)
    if (scheme := _first(headers, "proto")) in ("http", "https"):
        scope["scheme"] = scheme
    if host := _first(headers, "host"):
        scope["direct_host"] = headers.get("host", "")  # the guard looks at both
        scope["headers"] = list(scope["headers"])
        MutableHeaders(scope=scope)["host"] = host
    senders = [each.strip() for each in headers.get("x-forwarded-for", "").split(",")]
    outside = [each for each in senders if each and not trusted(each, settings.trusted_proxies)]
    if outside:
        scope["client"] = (outside[-1], 0)  # the last that no proxy of ours added
    said = _first(headers, "prefix").rstrip("/")
    return said if _PREFIX.fullmatch(said) else settings.root


def _first(headers: Headers, name: str) -> str:
    """What the outermost of several proxies said."""
    return headers.get(f"x-forwarded-{name}", "").partition(",")[0].strip()


def _place(scope: Scope, prefix: str) -> None:
    """Some proxies cut the prefix off the path and some do not: afterwards it is there, and known as such."""
    path = scope["path"]
    if prefix and path == prefix:
        path = f"{prefix}/"
    elif prefix and not path.startswith(f"{prefix}/"):
        path = prefix + path
    scope["path"], scope["root_path"] = path, prefix
