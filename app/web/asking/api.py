"""`/api/traces`: the same questions for scripts. Every error is an RFC 9457 problem document."""

from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import UserError
from app.store import jobs, traces
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.questions import MAX_BODY, MAX_PASSAGES, PassageId, Question, StepRequest
from app.web.asking.form import BorderHint, doubts_of
from app.web.asking.trace import TracePage, live, load
from app.web.asking.trace_answer import Looked
from app.web.site import urls
from app.web.site.body import build, read_json
from app.web.site.context import Db
from app.web.site.params import Name, Slug, TraceId
from app.web.site.problems import ProblemDetails
from app.web.site.respond import origin, respond
from app.web.site.serialize import json_bytes

router = APIRouter(prefix="/api/traces", tags=["traces"])

PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemDetails, "description": "There is no such trace."},
    409: {"model": ProblemDetails, "description": "The trace is in no state for this."},
    413: {"model": ProblemDetails, "description": "More text than is read."},
    422: {"model": ProblemDetails, "description": "A field is wrong; `field` names it. Nothing was saved."},
    503: {
        "model": ProblemDetails,
        "description": "Too many questions wait; `Retry-After` says when to come back.",
    },
}


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

    passages: list[PassageId] | None = Field(None, min_length=1, max_length=MAX_PASSAGES)
    control: int = Field(10, ge=0, le=MAX_PASSAGES, description="How many random passages to compare with.")
    optimizer: str = Field("", description=StepRequest.model_fields["optimizer"].description)
    learning_rate: float | None = Field(
        None, gt=0, le=10, description=StepRequest.model_fields["learning_rate"].description
    )


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that is read with a limit before it is parsed."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }


@router.post(
    "",
    status_code=202,
    response_model=Ticket,
    responses={200: {"model": Ticket, "description": "Answered before."}, **PROBLEMS},
    openapi_extra=_body(Question),
    summary="Ask which passages made the model say that",
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


@router.get(
    "/{trace_id}", response_model=TracePage, responses={404: PROBLEMS[404]}, summary="A trace as it is now"
)
def read(request: Request, db: Db, trace_id: Slug, view: Name = "", since: TraceId = "") -> Response:
    """The same document as `/traces/{trace_id}.json`."""
    page = load(request, db, jobs.find(db, trace_id), Looked(view=view, since=since))
    return respond(request, page, "trace.html")


@router.post(
    "/{trace_id}/cancel",
    response_model=Ticket,
    responses={number: PROBLEMS[number] for number in (404, 409)},
    summary="Take a question back",
)
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


@router.post(
    "/{trace_id}/steps",
    status_code=202,
    response_model=Ticket,
    responses={200: {"model": Ticket, "description": "Trained before."}, **PROBLEMS},
    openapi_extra=_body(Steps),
    summary="Train one step on passages and measure the target",
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
    hits = trace.result["rankings"]["trackstar"]["proponents"] if trace else []
    return [hit["passage_id"] for hit in hits] or [0]


def _ticket(request: Request, session: Session, job: Job, *, reused: bool = False) -> Ticket:
    base = origin(request)
    return Ticket(
        id=job.id,
        status=job.state,
        place=jobs.place(session, job),
        reused=reused,
        url=base + urls.trace(job.id),
        json_url=base + urls.twin(urls.trace(job.id)),
        events_url=base + urls.trace(job.id, "events"),
        doubts=doubts_of(job.request) if job.kind == "trace" else [],
    )


def _accepted(ticket: Ticket) -> Response:
    headers = {"Location": ticket.url}
    return Response(json_bytes(ticket), 200 if ticket.reused else 202, headers, "application/json")
