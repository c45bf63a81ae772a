"""A site in this process: requests reach it without a port or a second process."""

from contextlib import ExitStack

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from httpx import ASGITransport, BaseTransport, Request, Response


class Inside(BaseTransport):
    """Hands requests to an application; it runs in a thread of its own until `close`.

    Answers come whole, so this is no way to read a stream that has no end.
    """

    def __init__(self, site: FastAPI) -> None:
        self._site = ASGITransport(app=site, raise_app_exceptions=False)
        self._until_closed = ExitStack()
        self._portal: BlockingPortal = self._until_closed.enter_context(start_blocking_portal())
        lifespan = site.router.lifespan_context(site)
        self._until_closed.enter_context(self._portal.wrap_async_context_manager(lifespan))

    def handle_request(self, request: Request) -> Response:
        """The site's answer."""
        body = request.read()
        return self._portal.call(
            self._answer, Request(request.method, request.url, headers=request.headers, content=body)
        )

    def close(self) -> None:
        """Stop the site, which then closes what it opened."""
        self._until_closed.close()

    async def _answer(self, request: Request) -> Response:
        response = await self._site.handle_async_request(request)
        return Response(response.status_code, headers=_undecoded(response), content=await response.aread())


def _undecoded(response: Response) -> list[tuple[str, str]]:
    """Headers without the encoding that reading the body has undone."""
    return [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in ("content-encoding", "content-length")
    ]
