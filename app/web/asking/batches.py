"""`/api/v1/batches`: up to a hundred questions as one: asked together, followed together, taken back together."""

from collections.abc import Mapping
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.store import batches
from app.store.readers import READER
from app.store.work_tables import Job
from app.tracing.batches import ask_all
from app.tracing.questions import MAX_BODY, Batch
from app.web.site import urls
from app.web.site.body import read_json
from app.web.site.context import Db
from app.web.site.params import LONGEST, Plain
from app.web.site.respond import respond_json
from app.web.site.routing import action_route, document_route, json_body

router = APIRouter()
LARGEST = MAX_BODY * 8  # bytes: nobody asks a hundred of the longest questions
BatchId = Annotated[Plain, Path(max_length=LONGEST, description="id of a batch")]


class BatchTrace(BaseModel):
    """One question of a batch. `url` is its page, `json_url` its document."""

    id: str
    prompt: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    reused: bool = Field(description="An equal question was answered before; this is its trace.")
    error: dict[str, Any] | None
    url: str
    json_url: str


class BatchDocument(BaseModel):
    """Questions asked together, and how far they are."""

    id: str
    over: bool = Field(description="Nothing of it waits or runs.")
    total: int
    done: int = Field(description="Answered; the rest waits, runs, failed or was cancelled.")
    failed: int
    cancelled: int
    json_url: str
    traces: list[BatchTrace] = Field(description="In the order in which they were asked.")


@action_route(router, "/batches", BatchDocument, "ask_batch", body=json_body(Batch), statuses=())
async def ask(request: Request) -> Response:
    """Queue up to 100 questions, behind those that are asked singly. All are taken, or none."""
    batch = await read_json(request, LARGEST, Batch)
    state = request.app.state
    state.fairness.count_more(READER.get(), len(batch.questions) - 1)

    def put() -> BatchDocument:
        with state.store.session() as session:
            return _document(batches.find(session, ask_all(session, state.settings, batch)))

    made = await anyio.to_thread.run_sync(put)
    return respond_json(request, made, status=202, headers={"Location": made.json_url})


@document_route(router, "/batches/{batch_id}", BatchDocument, "get_batch")
def read(request: Request, db: Db, batch_id: BatchId) -> Response:
    """How far the questions of a batch are."""
    return respond_json(request, _document(batches.find(db, batch_id)))


@action_route(router, "/batches/{batch_id}/cancel", BatchDocument, "cancel_batch", statuses=(), status=200)
def cancel(request: Request, batch_id: BatchId) -> Response:
    """Take back what of a batch waits or runs; what is answered stays answered."""
    with request.app.state.store.session() as session:
        batches.cancel(session, batches.find(session, batch_id))
        made = _document(batches.find(session, batch_id))
    return respond_json(request, made)


def _document(batch: batches.BatchState) -> BatchDocument:
    counts: Mapping[str, int] = batch.counts
    return BatchDocument(
        id=batch.id,
        over=batch.over,
        total=len(batch.jobs),
        done=counts.get("done", 0),
        failed=counts.get("failed", 0),
        cancelled=counts.get("cancelled", 0),
        json_url=urls.api(urls.batch(batch.id)),
        traces=[_trace(job, was) for job, was in zip(batch.jobs, batch.reused, strict=True)],
    )


def _trace(job: Job, reused: bool) -> BatchTrace:
    return BatchTrace(
        id=job.id,
        prompt=job.request.get("prompt", ""),
        status=job.state,
        reused=reused,
        error=job.error,
        url=urls.trace(job.id),
        json_url=urls.api(urls.trace(job.id)),
    )
