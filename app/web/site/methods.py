"""Which methods an address answers: all of them, whichever of its routes has which."""

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.routing import Route

from app.errors import UserError
from app.web.site.respond import own_path


class NoSuchMethod(UserError):
    """Something stands at the address, and does not answer this method (HTTP 405)."""

    def __init__(self, request: Request, methods: set[str]) -> None:
        self.headers = {"Allow": ", ".join(sorted(methods))}
        super().__init__(
            f"{request.method[:20]} does nothing at this address.",
            remedy=f"It answers {self.headers['Allow']}.",
            status=405,
        )


def wrong_method(request: Request) -> NoSuchMethod | None:
    """What to say of a method that nothing at the address answers; None where something does, or nothing is there."""
    path, found = own_path(request), set[str]()
    for context in iter_route_contexts(request.app.routes):
        route = context.original_route
        if isinstance(route, Route) and route.path_regex.match(path):
            found |= route.methods or set()
    if "GET" in found:
        found.add("HEAD")  # see `app.web.site.head`
    return NoSuchMethod(request, found) if found and request.method not in found else None
