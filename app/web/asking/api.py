"""`/api/v1/traces`: the same questions for scripts. Every error is an RFC 9457 problem document."""

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import UserError
from app.store import jobs, traces
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.questions import MAX_BODY, MAX_PASSAGES, PassageId, Question, StepRequest
from app.tracing.trace_results import decides
from app.web.asking.form import BorderHint, doubts_of
from app.web.asking.trace import live
from app.web.site import urls
from app.web.site.body import build, read_json
from app.web.site.params import Slug
from app.web.site.respond import origin
from app.web.site.routing import action_route, json_body
from app.web.site.serialize import json_bytes

router = APIRouter()
OLD = "/api/traces"  # where all this stood before the API had a version


class Ticket(BaseModel):
    """Where the answer will be."""

    id: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    place: int = Field(description="1 for the next to be answered; 0 if it does not wait.")
    reused: bool = Field(description="An equal question was answered before; this is its trace.")
    url: str
    json_url: str
    events_url: str
    doubts: list[BorderHint] = Field(
        [],
        description="What may not have been meant about the question's borders; it is asked as it was sent.",
    )


class Steps(BaseModel):
    """Which passages to train one step on; without a list, the proponents the trace found."""

    model_config = ConfigDict(extra="forbid")

    passages: list[PassageId] | None = Field(None, min_length=1, max_length=MAX_PASSAGES)
    control: int = Field(10, ge=0, le=MAX_PASSAGES, description="How many random passages to compare with.")
    optimizer: str = Field("", description=StepRequest.model_fields["optimizer"].description)
    learning_rate: float | None = Field(
        None, gt=0, le=10, description=StepRequest.model_fields["learning_rate"].description
    )


@action_route(
    router,
    "/traces",
    Ticket,
    "ask_trace",
    old=OLD,
    body=json_body(Question),
    statuses=(),
    done={200: {"model": Ticket, "description": "Answered before."}},
)
async def ask(request: Request) -> Response:
    """Queue a question. Its answer comes to `json_url`, where `status` says how far it is."""
    question = await read_json(request, MAX_BODY, Question)
    state = request.app.state

    def put() -> Response:
        with state.store.session() as session:
            asked = asking.ask(session, state.settings, question)
            ticket = _ticket(request, session, asked.job, reused=asked.reused)
        return _accepted(ticket)

    return await anyio.to_thread.run_sync(put, limiter=live(request).turn)


@action_route(
    router, "/traces/{trace_id}/cancel", Ticket, "cancel_trace", old=f"{OLD}/{{trace_id}}/cancel",
    statuses=(409,), status=200,
)  # fmt: skip
def cancel(request: Request, trace_id: Slug) -> Ticket:
    """It will not be answered; what is over already stays as it is (409)."""
    with request.app.state.store.session() as session:
        job = jobs.find(session, trace_id)
        if not jobs.cancel(session, trace_id):
            raise UserError(
                f"The trace is {job.state} already.",
                remedy="Only what waits or runs can be cancelled.",
                status=409,
            )
        return _ticket(request, session, jobs.find(session, trace_id))


@action_route(
    router,
    "/traces/{trace_id}/steps",
    Ticket,
    "step_trace",
    old=f"{OLD}/{{trace_id}}/steps",
    body=json_body(Steps),
    statuses=(409,),
    done={200: {"model": Ticket, "description": "Trained before."}},
)
async def steps(request: Request, trace_id: Slug) -> Response:
    """Queue one optimizer step on each passage alone; the model is left as it was."""
    wanted = await read_json(request, MAX_BODY, Steps)
    state = request.app.state

    def put() -> Response:
        with state.store.session() as session:
            passages = wanted.passages if wanted.passages is not None else _shown(session, trace_id)
            training = build(StepRequest, wanted.model_dump() | {"trace": trace_id, "passages": passages})
            asked = asking.train(session, state.settings, training)
            ticket = _ticket(request, session, asked.job, reused=asked.reused)
        return _accepted(ticket)

    return await anyio.to_thread.run_sync(put)


def _shown(session: Session, trace_id: str) -> list[int]:
    trace = traces.get(session, trace_id)
    rankings = trace.result["rankings"] if trace else {}
    hits = rankings[decides(rankings)]["proponents"] if trace else []
    return [hit["passage_id"] for hit in hits] or [0]


def _ticket(request: Request, session: Session, job: Job, *, reused: bool = False) -> Ticket:
    base = origin(request)
    return Ticket(
        id=job.id,
        status=job.state,
        place=jobs.place(session, job),
        reused=reused,
        url=base + urls.trace(job.id),
        json_url=base + urls.api(urls.trace(job.id)),
        events_url=base + urls.trace(job.id, "events"),
        doubts=doubts_of(job.request) if job.kind == "trace" else [],
    )


def _accepted(ticket: Ticket) -> Response:
    headers = {"Location": ticket.url}
    return Response(json_bytes(ticket), 200 if ticket.reused else 202, headers, "application/json")
