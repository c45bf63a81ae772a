"""`/traces/{trace}`: the stages of a question while it is answered, then its answer; and what to ask of it next."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi import Query as Asking
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.settings import Settings
from app.store import jobs, traces, workers
from app.store.steps import StepsOf, of_trace, steps_of
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.questions import MAX_BODY, StepRequest
from app.tracing.trace_results import TraceResult, TrainingResult
from app.web.asking import trace_view
from app.web.asking.changes import TraceChanges, changes
from app.web.asking.follow_up import follow_up
from app.web.asking.form import BorderHint, doubtful, doubts_of
from app.web.asking.live import Live
from app.web.asking.trace_answer import Answer, Looked, answered, shading_of_page
from app.web.asking.trace_view import Stage
from app.web.evidence.answer_page import AnswerPage
from app.web.evidence.embed import embed_of, embedded
from app.web.evidence.stepping import measured_when_read, reader_of
from app.web.site import urls
from app.web.site.body import build, read_form
from app.web.site.budgets import streaming
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.params import Embed, Name, Slug, TraceId
from app.web.site.respond import known_to_all, origin, respond, templates, wants_json
from app.web.site.routing import page_route
from app.web.site.serialize import sendable
from app.words.answers import SAID, TARGET

router = APIRouter()
Marks = Annotated[
    Literal["", "tokens", "names", "plain"],
    Asking(description="what is marked: tokens, names or plain; by itself tokens, once they are there"),
]
STREAM_SECONDS = 60.0  # then the reader's browser connects again, so that no stream outlives its reader
BEAT_SECONDS = 10.0


class TracePage(AnswerPage):
    """One question in whatever state it is; claim, evidence and passages are there once it is answered."""

    title: str
    id: str
    status: str
    stage: str
    place: int
    attempts: int
    stages: list[Stage]
    ready: bool
    prompt: str
    asked: dict[str, Any]
    explains: str | None = None  # `said` where the model goes on so by itself, else `target`
    correct: bool | None = None  # what the model said, where a stored prompt tells what is right
    doubts: list[BorderHint] = Field(default_factory=list)  # about the borders of what was asked
    reused: bool = False
    error: dict[str, Any] | None = None
    created_at: Moment
    finished_at: Moment | None = None
    url: PageUrl
    answer: Answer | None = None
    trainings: list[trace_view.StepsView] = Field(default_factory=list)
    changes: TraceChanges | None = None
    steps: StepsOf | None = None  # taken without being asked, as far as they are
    result: dict[str, Any] | None = None  # of a training, when it is asked for by itself
    pending: bool
    events_url: str
    permalink: str

    @property
    def listens(self) -> bool:
        """Whether events can still come to this page: while something runs, or steps may yet be asked for on it."""
        return self.pending or self.filling or self.answer is None or bool(self.answer.to_measure)


@page_route(router, "/traces/{trace_id}", TracePage, "get_trace", old="/api/traces/{trace_id}")
def trace_page(
    request: Request,
    db: Db,
    settings: Config,
    trace_id: Slug,
    view: Name = "",
    since: TraceId = "",
    marks: Marks = "",
    again: bool = False,
    embed: Embed = False,
) -> Response:
    """The trace. A training is shown on the page of the trace it belongs to, a shading on its example's."""
    job = jobs.find(db, trace_id)
    if job.kind == "steps" and job.parent and not wants_json(request):
        return RedirectResponse(urls.trace(job.parent) + "#causes", status_code=303)
    if job.kind == "shade" and not wants_json(request):
        return RedirectResponse(urls.api(urls.trace(trace_id)), status_code=303)
    page = load(request, db, job, Looked(view, marks, since), again=again)
    if embed and not wants_json(request) and (framed := embed_of(page)):
        return embedded(request, framed)
    shown = respond(request, page, "trace.html", block="live")
    trace = traces.get(db, job.id) if page.filling else None
    shading = shading_of_page(settings, trace, page.proponents, page.opponents) if trace is not None else None
    return measured_when_read(request, settings, shown, result_id=None, shading=shading)


def _unfinished(request: Request, trace_id: Slug, since: TraceId = "") -> list[str]:
    """What the stream watches: the trace and its trainings, as far as they are not over.

    Raises:
        NotFound: there is no such trace; said before the stream begins, when it can still be a 404.
    """
    with request.app.state.store.session() as session:
        job = jobs.find(session, trace_id)
        if since:
            jobs.find(session, since)
        return [each.id for each in (job, *_trainings(session, job)) if each.state not in jobs.OVER]


@router.get(
    "/traces/{trace_id}/events",
    include_in_schema=False,
    response_class=EventSourceResponse,
    dependencies=[Depends(streaming)],
)
async def events(
    request: Request,
    trace_id: Slug,
    watched: Annotated[list[str], Depends(_unfinished)],
    view: Name = "",
    since: TraceId = "",
    marks: Marks = "",
) -> AsyncIterator[ServerSentEvent]:
    """The changing part of the page, each time it changes, as server-sent events; `done` ends them."""

    def draw() -> tuple[str, bool]:
        with request.app.state.store.session() as session:
            page = load(request, session, jobs.find(session, trace_id), Looked(view, marks, since))
        # A training or a shading has no page of its own: its stream tells how far it is.
        return _block(request, page) if page.asked["kind"] == "trace" else page.status, page.pending

    ends = asyncio.get_running_loop().time() + STREAM_SECONDS
    shown = ""
    readers = live(request)
    async with readers.watch(*watched) as watch:
        while asyncio.get_running_loop().time() < ends:
            if not await watch.wait(BEAT_SECONDS):
                yield ServerSentEvent(comment="still here")  # and look all the same: workers come and go
            html, pending = await anyio.to_thread.run_sync(draw, limiter=readers.turn)
            if html != shown:
                shown = html
                yield ServerSentEvent(raw_data=sendable(html))
            if not pending:
                yield ServerSentEvent(event="done", raw_data="")
                return


@router.post("/traces/{trace_id}/cancel", include_in_schema=False)
def cancel(request: Request, trace_id: Slug) -> Response:
    """Take the question, or the training that runs for it, back."""
    with request.app.state.store.session() as session:  # committed before the browser comes back for the page
        job = jobs.find(session, trace_id)
        for each in (job, *_trainings(session, job)):
            jobs.cancel(session, each.id)
    return RedirectResponse(urls.trace(trace_id), status_code=303)


@router.post("/traces/{trace_id}/steps", include_in_schema=False)
async def steps(request: Request, trace_id: Slug) -> Response:
    """Train one step on the passages of the form."""
    fields, settings = await _form(request)
    given = {name: value for name, value in fields if name in ("optimizer", "learning_rate") and value}
    passages = [value for name, value in fields if name == "passage"]
    values = {"trace": trace_id, "passages": passages, **given}
    view = dict(fields).get("view", "")

    def put() -> str:
        with request.app.state.store.session() as session:
            asking.train(session, settings, build(StepRequest, values))
        return urls.trace(trace_id, view=view, since=dict(fields).get("since")) + "#causes"

    return RedirectResponse(await anyio.to_thread.run_sync(put), status_code=303)


@router.post("/traces/{trace_id}/span", include_in_schema=False)
async def span(request: Request, trace_id: Slug) -> Response:
    """Ask again for the tokens chosen, or for why rather than something else: a new trace."""
    fields, settings = await _form(request)
    contrast = dict(fields).get("contrast", "")
    if contrast and "space" in dict(fields):
        contrast = f" {contrast.removeprefix(' ')}"

    def put() -> Response:
        with request.app.state.store.session() as session:
            jobs.find(session, trace_id)
            question = follow_up(traces.get(session, trace_id), fields, contrast)
            if found := doubts_of(question.model_dump(), said=True):
                return doubtful(request, settings, question.model_dump(), found, trace_id)
            asked = asking.ask(session, settings, question)
            url = urls.trace(asked.job.id, since=trace_id, again=1 if asked.reused else None)
        return RedirectResponse(url, status_code=303)

    return await anyio.to_thread.run_sync(put)


def load(request: Request, session: Session, job: Job, looked: Looked, *, again: bool = False) -> TracePage:
    """The page of a trace, or the JSON of a training or a shading."""
    asked = {name: value for name, value in job.request.items() if name != "sha256"}
    trainings = _trainings(session, job)
    page = TracePage(
        title=asked.get("prompt", "One training step"),
        id=job.id,
        status=job.state,
        stage=job.stage,
        place=jobs.place(session, job),
        attempts=job.attempts,
        stages=trace_view.stages(job),
        ready=job.state == "done" or any(worker.status == "ready" for worker in workers.alive(session)),
        prompt=asked.get("prompt", ""),
        asked=asked,
        reused=again,
        error=job.error,
        created_at=jobs.utc(job.created_at),
        finished_at=jobs.utc(job.finished_at) if job.finished_at else None,
        url=urls.trace(job.id),
        trainings=[trace_view.training(each) for each in trainings if each.request["kind"] == "train"],
        pending=any(each.state not in jobs.OVER for each in (job, *trainings)),
        events_url=urls.trace(job.id, "events", view=looked.view, since=looked.since, marks=looked.marks),
        permalink=origin(request) + urls.trace(job.id),
        made=jobs.utc(job.finished_at) if job.finished_at else None,
        trace_url=urls.trace_form(from_=job.id),
        without_url=urls.without(trace=job.id) if job.state == "done" else "",
    )
    if job.kind != "trace":
        page.result = job.result
        return page
    trace = traces.get(session, job.id)
    said = trace is not None and TraceResult.model_validate(trace.result).completion.said
    page.explains = None if trace is None else SAID if said else TARGET
    page.doubts = doubts_of(asked, said=said)
    if trace is not None:
        page.steps = steps_of(session, of_trace(trace.id))
        asked_for = [
            TrainingResult.model_validate(each.result)
            for each in trainings
            if each.request["kind"] == "train" and each.result
        ]
        settings: Settings = request.app.state.settings
        fields = answered(session, settings, trace, looked, asked_for, page.steps, reader_of(request))
        page = page.model_copy(update=fields)
    if trace is not None and looked.since:
        jobs.find(session, looked.since)
        page.changes = changes(session, traces.get(session, looked.since), trace)
    return page


def live(request: Request) -> Live:
    """The watcher of this application."""
    watcher: Live = request.app.state.live
    return watcher


def _trainings(session: Session, job: Job) -> list[Job]:
    return jobs.of(session, job.id, "steps") if job.kind == "trace" else []


async def _form(request: Request) -> tuple[list[tuple[str, str]], Settings]:
    settings: Settings = request.app.state.settings
    return await read_form(request, MAX_BODY), settings


def _block(request: Request, page: TracePage) -> str:
    template = templates.get_template("trace.html")
    return "".join(template.blocks["inside"](template.new_context(known_to_all(request, page, page.url))))
