"""`/status`: how the site does, for people; `/metrics`: the same and more for Prometheus."""

import shutil
import statistics
import time
from collections import Counter
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from app.settings import Settings
from app.store import standing_work
from app.store.engine import Store
from app.store.readers import READER
from app.store.workers import alive
from app.web.site.context import Config, Db
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.watching import UNROUTED, Measures

router = APIRouter()
LATELY = 3600.0  # seconds
SLOWEST = 8
NAMES = {
    "trace": "questions",
    "steps": "training steps",
    "shade": "token influence",
    "without": "trainings without passages",
    "import": "files",
}


class Waiting(BaseModel):
    """One kind of work: how much waits and runs, and what the last hour brought; `median` in seconds from asking on."""

    kind: str
    queued: int
    running: int
    done: int
    failed: int
    median: float | None


class RouteTime(BaseModel):
    """A kind of page, with the time within which 19 of 20 requests were answered, in seconds."""

    route: str
    requests: int
    p95: float


class WorkerState(BaseModel):
    """A tracing worker; `name` and `detail` for admins only."""

    status: str
    device: str
    name: str = ""
    detail: str = ""


class StatusPage(BaseModel):
    """How the site does. Requests are those of the process that answers."""

    title: str = "Status"
    work: list[Waiting]
    workers: list[WorkerState]
    requests: int
    trouble: int  # of them, answered with 5xx
    slowest: list[RouteTime]


@page_route(router, "/status", StatusPage, "get_status")
def status(request: Request, session: Db) -> Response:
    """What waits and runs, what the last hour brought, which workers there are, and which pages take longest."""
    visitor = READER.get()
    inside = visitor is not None and visitor.may("admin")
    now_there, ended = standing_work.counts(session), standing_work.finished(session)
    measures: Measures = request.app.state.measures
    lately = [each for each in list(measures.last) if each[0] > time.time() - LATELY]
    page = StatusPage(
        work=[_waiting(kind, now_there, ended) for kind in NAMES],
        workers=[
            WorkerState(
                status=each.status,
                device=each.device,
                name=each.id if inside else "",
                detail=each.detail if inside else "",
            )
            for each in alive(session)
        ],
        requests=len(lately),
        trouble=sum(code >= 500 for _, _, code, _ in lately),
        slowest=_slowest(lately),
    )
    return respond(request, page, "status.html")


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, session: Db, settings: Config) -> Response:
    """For Prometheus, with a token of the scope `metrics`. Requests are those of the process that answers."""
    store: Store = request.app.state.store
    measures: Measures = request.app.state.measures
    now_registry = CollectorRegistry()
    jobs = Gauge("startrail_jobs", "Jobs that wait or run.", ["kind", "state"], registry=now_registry)
    for (kind, state), count in standing_work.counts(session).items():
        jobs.labels(kind, state).set(count)
    ended = Gauge("startrail_jobs_last_hour", "Jobs that ended.", ["kind", "state"], registry=now_registry)
    for (kind, state), count in Counter(each[:2] for each in standing_work.finished(session)).items():
        ended.labels(kind, state).set(count)
    workers = Gauge("startrail_workers", "Tracing workers.", ["status"], registry=now_registry)
    for name, count in Counter(each.status for each in alive(session)).items():
        workers.labels(name).set(count)
    _machine(now_registry, store, settings)
    body = generate_latest(measures.registry) + generate_latest(now_registry)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


def _machine(registry: CollectorRegistry, store: Store, settings: Settings) -> None:
    pool: Any = store.engine.pool
    in_use = Gauge("startrail_pool_in_use", "Connections to the database in use.", registry=registry)
    in_use.set(pool.checkedout() if hasattr(pool, "checkedout") else 0)
    free = Gauge("startrail_disk_free_bytes", "Room on the disk of the home.", registry=registry)
    free.set(shutil.disk_usage(settings.home).free if settings.home.is_dir() else 0)
    size = Gauge("startrail_index_bytes", "Size of an index on the disk.", ["index"], registry=registry)
    for manifest in settings.indexes.glob("*/manifest.json"):
        files = (each for each in manifest.parent.rglob("*") if each.is_file())
        size.labels(manifest.parent.name).set(sum(each.stat().st_size for each in files))


def _waiting(kind: str, now_there: dict[tuple[str, str], int], ended: standing_work.Ended) -> Waiting:
    mine = [(state, seconds) for each, state, seconds in ended if each == kind]
    done = [seconds for state, seconds in mine if state == "done"]
    return Waiting(
        kind=NAMES[kind],
        queued=now_there.get((kind, "queued"), 0),
        running=now_there.get((kind, "running"), 0),
        done=len(done),
        failed=sum(state == "failed" for state, _ in mine),
        median=statistics.median(done) if done else None,
    )


def _slowest(lately: list[tuple[float, str, int, float]]) -> list[RouteTime]:
    times: dict[str, list[float]] = {}
    for _, route, _, seconds in lately:
        if route != UNROUTED and not route.endswith("/events"):  # a stream takes as long as its reader looks
            times.setdefault(route, []).append(seconds)
    found = [
        RouteTime(route=route, requests=len(each), p95=sorted(each)[int(0.95 * (len(each) - 1))])
        for route, each in times.items()
    ]
    return sorted(found, key=lambda each: -each.p95)[:SLOWEST]
