"""The application factory: nothing happens at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from app.paths import STATIC
from app.settings import Settings, get_settings
from app.store.engine import Store, make_engine
from app.store.limits import limit_statements
from app.web.asking.live import Live
from app.web.evidence import drawing
from app.web.loading.imports import Imports
from app.web.routes import routes
from app.web.site import openapi, problems
from app.web.site.access import Access
from app.web.site.budgets import Budgets
from app.web.site.cross_origin import CrossOrigin
from app.web.site.fairness import Fairness
from app.web.site.guard import Guard
from app.web.site.head import HeadMiddleware
from app.web.site.patience import Patience
from app.web.site.proxy import Proxied
from app.web.site.respond import templates
from app.web.site.security import SecurityHeaders
from app.web.site.statics import Statics
from app.web.site.watching import Measures, Watching

BUSY_SECONDS = 5  # that a page waits for a connection
COMPRESSION = 6  # beyond it a page takes twice as long to compress and is 1 % smaller


class Site(FastAPI):
    """FastAPI with our headers around everything: its own answer to a fault stands outside all middleware."""

    def openapi(self) -> dict[str, Any]:
        """What the API is, see `app.web.site.openapi`."""
        return openapi.document(self)

    def build_middleware_stack(self) -> ASGIApp:
        """What a request passes, outermost first."""
        return SecurityHeaders(Proxied(super().build_middleware_stack()))


def create_app(settings: Settings | None = None) -> FastAPI:
    """The site over the store that the settings name; connections open when the first page asks."""
    settings = settings or get_settings()
    app = Site(
        title="Startrail",
        version=version("startrail"),
        summary="See which training passages made a language model say that.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_until_it_ends,
    )
    app.state.settings = settings
    engine = make_engine(settings.url, patience=BUSY_SECONDS)
    limit_statements(engine, settings.statement_seconds)
    app.state.store = Store(engine)
    app.state.keeping = Store(make_engine(settings.url))  # for imports and taking down, which take their time
    app.state.live = Live(app.state.store)
    app.state.imports = Imports(app.state.keeping, settings.home)
    app.state.budgets = Budgets()
    app.state.measures = Measures()
    app.state.fairness = Fairness(settings)
    app.add_middleware(GZipMiddleware, minimum_size=800, compresslevel=COMPRESSION)
    app.add_middleware(Patience)
    app.add_middleware(Access)
    app.add_middleware(Guard)
    app.add_middleware(Watching)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(CrossOrigin)
    app.mount("/static", Statics(directory=STATIC), name="static")
    app.router.routes.extend(routes())
    problems.install(app)
    templates.globals.update(drawing.GLOBALS)
    templates.filters.update(drawing.FILTERS)
    return app


@asynccontextmanager
async def _until_it_ends(app: FastAPI) -> AsyncIterator[None]:
    """The import at hand is finished and the connections are closed when the site stops."""
    yield
    app.state.imports.close()
    app.state.live.close()
    app.state.store.close()
    app.state.keeping.close()
