"""Every request is counted, timed and, where the operator wants it, written down in the access log."""

import logging
import time
from collections import deque
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.store.trouble import CALM
from app.web.site.middleware import HttpMiddleware
from app.web.site.needs import SAFE
from app.web.site.problems import told

log = logging.getLogger("startrail.access")
UNROUTED = "none"  # the route of what is refused before it has one
REMEMBERED = 2_000  # requests, for what /status says of the last ones
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds


class Measures:
    """The measurements of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "startrail_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "startrail_request_seconds",
            "Until the last byte.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "startrail_requests_under_way", "Requests being answered.", registry=self.registry
        )
        self.last: deque[tuple[float, str, int, float]] = deque(
            maxlen=REMEMBERED
        )  # when, route, status, seconds

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request is over."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        self.last.append((time.time(), route, status, seconds))


class Watching(HttpMiddleware):
    """Measures from the first to the last byte."""

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        measures: Measures = scope["app"].state.measures
        began, status, request = time.perf_counter(), 500, ""

        async def noted(message: Message) -> None:
            nonlocal status, request
            if message["type"] == "http.response.start":
                status = message["status"]
                request = Headers(raw=message["headers"]).get("x-request-id", "")
            await send(message)

        measures.under_way.inc()
        try:
            await self.app(scope, receive, noted)
        finally:
            measures.under_way.dec()
            if status < HTTPStatus.BAD_REQUEST:
                told.well(wrote=scope["method"] not in SAFE, calm=CALM)
            seconds = time.perf_counter() - began
            # The route's own path, so that what people type makes no new series.
            route = getattr(scope.get("route"), "path", "") or UNROUTED
            measures.note(scope["method"], route, status, seconds)
            said = {
                "request": request,
                "status": status,
                "ms": round(1000 * seconds, 1),
                "client": _client(scope),
            }
            log.info("%s %s", scope["method"], scope["path"], extra=said)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
