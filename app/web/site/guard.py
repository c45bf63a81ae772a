"""What a request must pass before any page sees it, whichever route it is for. A new route is guarded without a word.

Each check takes the request and raises a `UserError`; the reader gets the same kind of page as for any other problem.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import UserError
from app.web.site import problems

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Routes that change something and that pages of other sites may call all the same, by their path. There are none.
FOR_OTHER_SITES: frozenset[str] = frozenset()


def same_origin(request: Request) -> None:
    """Refuse what a browser sends from another site's page: it would act with the rights of whoever sits before it.

    Every current browser says where a request comes from (Sec-Fetch-Site), older ones and those on plain http send
    Origin; scripts and command-line clients send neither, hold no visitor's rights, and are let through.

    Raises:
        UserError: it comes from elsewhere (HTTP 403).
    """
    if request.method in SAFE or request.url.path in FOR_OTHER_SITES:
        return
    site, sent_from = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    elif sent_from:
        base_url: str = request.app.state.settings.base_url
        own = {request.headers.get("host", ""), urlsplit(base_url).netloc}
        allowed = urlsplit(sent_from).netloc in own - {""}
    else:
        allowed = True
    if not allowed:
        raise UserError(
            "This was sent from a page of another site.",
            remedy="Send it from this site's own page.",
            status=403,
        )


CHECKS: tuple[Callable[[Request], None], ...] = (same_origin,)


class Guard:
    """Makes every check of every request; pure ASGI, so streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with the problem."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            try:
                for check in CHECKS:
                    check(request)
            except UserError as error:
                answer = await run_sync(problems.answer, request, error)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)
