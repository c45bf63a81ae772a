"""What a request must pass before any page sees it, whichever route it is for. A new route is guarded without a word.

Each check takes the request and raises a `UserError`; the reader gets the same kind of page as for any other problem.
"""

from collections.abc import Callable

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.errors import UserError
from app.settings import Settings
from app.web.site import problems
from app.web.site.hosts import known_host, origin_of, own_origins
from app.web.site.middleware import HttpMiddleware
from app.web.site.respond import own_path

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_ADDRESS, LONGEST_HEADERS = (
    32 << 10,
    32 << 10,
)  # bytes; a prompt of 20,000 characters may stand in an address
# Routes that change something and that pages of other sites may call all the same, by their path. There are none.
FOR_OTHER_SITES: frozenset[str] = frozenset()


def allowed_host(request: Request) -> None:
    """Refuse a name that this site is not known by, whether the browser or a proxy gave it.

    Raises:
        UserError: the name is not known (HTTP 400).
    """
    settings: Settings = request.app.state.settings
    for host in (request.headers.get("host", ""), request.scope.get("direct_host", "")):
        if not known_host(host, settings):
            raise UserError(
                f"This site is not known as “{host}”.",
                remedy="Open it by a name that it has, or have its operator add this one to STARTRAIL_ALLOWED_HOSTS.",
                status=400,
            )


def same_origin(request: Request) -> None:
    """Refuse what a browser sends from another site's page: it would act with the rights of whoever sits before it.

    Every current browser says where a request comes from (Sec-Fetch-Site), older ones and those on plain http send
    Origin; scripts and command-line clients send neither, hold no visitor's rights, and are let through.

    Raises:
        UserError: it comes from elsewhere (HTTP 403).
    """
    if request.method in SAFE or own_path(request) in FOR_OTHER_SITES:
        return
    site, sent_from = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    settings: Settings = request.app.state.settings
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = sent_from is None or origin_of(sent_from) in own_origins(request, settings)
    if not allowed:
        here = settings.base_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
        raise UserError(
            f"This was sent from a page of {sent_from or 'another site'}, and this site is {here}.",
            remedy="Send it from this site's own page. If both are this site, a proxy stands between and hides the "
            "first: its operator sets STARTRAIL_BASE_URL to that address, or has the proxy send X-Forwarded-Host "
            "and lists the proxy's address in STARTRAIL_TRUSTED_PROXIES.",
            status=403,
        )


def bounded(request: Request) -> None:
    """Refuse headers and addresses that no browser sends.

    Raises:
        UserError: they are longer (HTTP 431 or 414).
    """
    if len(request.scope.get("query_string", b"")) + len(request.url.path) > LONGEST_ADDRESS:
        raise UserError("The address is too long.", remedy="Ask for less at once.", status=414)
    if sum(len(name) + len(value) for name, value in request.scope["headers"]) > LONGEST_HEADERS:
        raise UserError("The headers are too long.", remedy="Remove cookies of this site.", status=431)


CHECKS: tuple[Callable[[Request], None], ...] = (bounded, allowed_host, same_origin)


class Guard(HttpMiddleware):
    """Makes every check of every request."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with the problem."""
        request = Request(scope, receive)
        try:
            for check in CHECKS:
                check(request)
        except UserError as error:
            answer = await run_sync(problems.answer, request, error)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)
