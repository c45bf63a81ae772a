"""`/healthz`: the process lives. `/readyz`: it can do its work, or what is missing, by name."""

from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import select
from starlette.responses import Response

from app.errors import UserError
from app.settings import Settings
from app.store.engine import check_version
from app.store.models import find_checkpoint
from app.store.tables import Model
from app.store.workers import alive
from app.trackstar.manifest import IndexManifest
from app.trackstar.rows import open_rows
from app.web.site.context import Config
from app.web.site.respond import page_route, respond

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


@page_route(router, "/healthz")
def healthz(request: Request) -> Response:
    """The web server answers."""
    return respond(request, HealthPage(title="Health", ok=True, checks=[]), "health.html")


@page_route(router, "/readyz")
def readyz(request: Request, settings: Config) -> Response:
    """Database, models, indexes and tracing worker: 200 if all can be used, else 503 naming what cannot."""
    checks = [_database(request)]
    if checks[0].ok:
        checks += [*_models(request, settings), *_indexes(settings), _worker(request)]
    ok = all(check.ok for check in checks)
    page = HealthPage(title="Readiness", ok=ok, checks=checks)
    return respond(request, page, "health.html", status=200 if ok else 503)


def _database(request: Request) -> Check:
    try:
        check_version(request.app.state.store.engine)
    except UserError as error:
        return Check(name="database", ok=False, detail=str(error))
    return Check(name="database", ok=True, detail=request.app.state.store.engine.dialect.name)


def _models(request: Request, settings: Settings) -> list[Check]:
    """Every model with a path has its weights there, or in the home directory it may have moved with."""
    checks = []
    with request.app.state.store.session() as session:
        models = session.scalars(select(Model).where(Model.path.is_not(None)).order_by(Model.name)).all()
    for model in models:
        place = find_checkpoint(model, settings.models)
        missing = f"No weights at {model.path}; put the checkpoint back or build it again."
        checks.append(Check(name=f"model {model.name}", ok=place is not None, detail=str(place or missing)))
    return checks


def _indexes(settings: Settings) -> list[Check]:
    """Every index has a manifest and shards that the worker would open, and the files it opens later."""
    places = sorted(manifest.parent for manifest in settings.indexes.glob("*/manifest.json"))
    return [_index(place) for place in places]


def _index(path: Path) -> Check:
    name = f"index {path.name}"
    try:
        manifest = IndexManifest.read(path)
        open_rows(path, manifest)
    except UserError as error:
        return Check(name=name, ok=False, detail=str(error))
    return Check(name=name, ok=True, detail=str(path))


def _worker(request: Request) -> Check:
    with request.app.state.store.session() as session:
        workers = alive(session)
    if not workers:
        return Check(
            name="worker", ok=False, detail="No tracing worker runs; start one with `startrail worker`."
        )
    first = workers[0]
    if first.status == "ready":
        return Check(name="worker", ok=True, detail=f"{first.id} on {first.device}")
    return Check(name="worker", ok=False, detail=f"{first.id} is {first.status}: {first.detail}")
