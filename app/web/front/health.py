"""`/healthz`: the process lives. `/readyz`: it can do its work, or what is missing, by name."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.engine import Store
from app.store.readers import READER
from app.upkeep import checks
from app.upkeep.checks import Finding
from app.web.site.context import Config
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()


class Check(BaseModel):
    """One thing that must be right."""

    name: str
    ok: bool
    detail: str


class HealthPage(BaseModel):
    """The checks; `ok` only if all are."""

    title: str
    ok: bool
    checks: list[Check]


@page_route(router, "/healthz", HealthPage, "get_health")
def healthz(request: Request) -> Response:
    """The web server answers."""
    return respond(request, HealthPage(title="Health", ok=True, checks=[]), "health.html")


@page_route(
    router,
    "/readyz",
    HealthPage,
    "get_readiness",
    also={503: {"model": HealthPage, "description": "Something is missing: the checks say what."}},
)
def readyz(request: Request, settings: Config) -> Response:
    """Home, database, models, indexes, tracing worker and queue: 200 if all can be used, else 503 naming what cannot.

    Paths and hosts are shown to admins only.
    """
    store: Store = request.app.state.store
    found = [checks.of_database(store), checks.of_home(settings)]
    if found[0].ok:
        with store.session() as session:
            found += [*checks.of_models(session, settings), *checks.of_indexes(session, settings)]
            found += [checks.of_workers(session), checks.of_queue(session, settings)]
    visitor = READER.get()
    inside = visitor is not None and visitor.may("admin")
    shown = [
        Check(name=each.name, ok=each.ok, detail=each.inside if inside else outside(each)) for each in found
    ]
    page = HealthPage(title="Readiness", ok=all(each.ok for each in found), checks=shown)
    return respond(request, page, "health.html", status=200 if page.ok else 503)


def outside(finding: Finding) -> str:
    """What whoever does not keep the site is told."""
    return "it can be used" if finding.ok else "it cannot be used; its operator sees why"
