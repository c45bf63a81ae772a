"""What every middleware of ours begins with. Pure ASGI, so that streams pass through untouched."""

from abc import ABC, abstractmethod

from starlette.types import ASGIApp, Receive, Scope, Send


class HttpMiddleware(ABC):
    """Stands before an application; what is no HTTP, such as the start of the site, goes past it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let something else pass."""
        handle = self.request if scope["type"] == "http" else self.app
        await handle(scope, receive, send)

    @abstractmethod
    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
