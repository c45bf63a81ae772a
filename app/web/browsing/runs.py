"""`/runs` and `/runs/{run}`: what was computed, with which configuration, and how well it did."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.browse import tallies
from app.store.most_found import most_found
from app.store.runs import get_run, list_runs, run_beside
from app.store.tables import Run
from app.store.tally import Tally
from app.web.browsing.list_query import After, AskedQuery, Before
from app.web.browsing.listing import Listing, ListingSummary, make_listing
from app.web.judging.run_metrics import RunMetrics, run_metrics
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.params import Limit, Name, Slug
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.words.cutting import cut
from app.words.methods import method_of
from app.words.partial import said_of

router = APIRouter()
FACTS = "fact"


class RunInfo(BaseModel):
    """A run in a list."""

    slug: str
    name: str
    url: PageUrl
    method: str
    model: str
    corpus: str
    prompt_set: str
    prompts: int
    explains: str  # `said` or `target`
    status: str
    created_at: Moment
    metrics: dict[str, Any]
    task: str  # whose prompts `summary` is over: the one that the evaluation opens on
    summary: ListingSummary


class OtherRun(BaseModel):
    """A run over the same prompts, and where the two are compared."""

    name: str
    url: PageUrl


class RunsPage(BaseModel):
    """All runs, or those of a method."""

    title: str = "Runs"
    method: str
    runs: list[RunInfo]


class MostFound(BaseModel):
    """A passage that is a proponent of many prompts."""

    id: int
    url: PageUrl
    text: str
    prompts: int


class RunPage(BaseModel):
    """One run: configuration, metrics, prompts."""

    title: str
    run: RunInfo
    said_url: PageUrl | None  # of the run beside this one that explains what the model said
    said_prompts: int
    configuration: dict[str, Any]
    searched_part: str  # what of the passages was looked at, in a sentence; empty: all
    metrics: RunMetrics | None
    compare: list[OtherRun]
    listing: Listing
    most_found: list[MostFound]
    export_url: str


def info(run: Run, tally: Tally) -> RunInfo:
    """A run as lists show it; its figures are over facts where it has any, as everywhere else."""
    task = FACTS if tally.count({"task": FACTS}) else ""
    return RunInfo(
        slug=run.slug,
        name=run.name,
        url=urls.run(run.slug),
        method=run.method,
        model=run.model.name,
        corpus=run.corpus.name,
        prompt_set=run.prompt_set.name,
        prompts=run.prompt_count,
        explains=run.explains,
        status=run.status,
        created_at=run.created_at,
        metrics=run.metrics,
        task=task,
        summary=ListingSummary(**vars(tally.summary({"task": task} if task else {}))),
    )


@page_route(router, "/runs", RunsPage, "list_runs")
def runs_page(request: Request, session: Db, method: Name = "") -> Response:
    """Every run, or those of a `method`."""
    runs = [run for run in list_runs(session) if not method or method_of(run.method).name == method]
    counted = tallies(session, runs)
    page = RunsPage(method=method, runs=[info(run, counted[run.id]) for run in runs])
    return respond(request, page, "runs.html")


@page_route(router, "/runs/{slug}", RunPage, "get_run")
def run_page(
    request: Request,
    session: Db,
    slug: Slug,
    asked: AskedQuery,
    after: After = None,
    before: Before = None,
    limit: Limit = None,
) -> Response:
    """One run with its whole configuration, and its prompts."""
    run = get_run(session, slug)
    listing = make_listing(session, request, run, asked, after=after, before=before, limit=limit)
    beside = run_beside(session, run)
    page = RunPage(
        title=run.name,
        said_url=urls.run(beside.slug) if beside else None,
        said_prompts=beside.prompt_count if beside else 0,
        run=info(run, tallies(session, [run])[run.id]),
        configuration=run.configuration,
        searched_part=said_of(run.configuration),
        metrics=run_metrics(session, run),
        compare=[
            OtherRun(name=each.name, url=urls.differences([run.slug, each.slug]))
            for each in list_runs(session)
            if each.id != run.id and each.prompt_set_id == run.prompt_set_id
        ],
        listing=listing,
        most_found=[
            MostFound(id=passage.id, url=urls.passage(passage.id), text=cut(passage.text, 200), prompts=count)
            for passage, count in most_found(session, run)
        ],
        export_url=urls.twin(urls.run(run.slug), "jsonl"),
    )
    return respond(request, page, "run.html", block="results", status=422 if listing.error else 200)
