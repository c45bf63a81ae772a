"""`/without/{id}`: a small model trained without some passages, beside the one trained with everything: foretold and measured."""

import json
import shlex
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.store import jobs, leaving
from app.store.work_tables import Job
from app.tracing.without import PredictedChange, find_without, recent_without
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.params import Slug
from app.web.site.respond import origin, respond
from app.web.site.routing import action_route, page_route

router = APIRouter()
SHOWN = 50  # passages by their words; the document has the ids of all
NAMED = 20  # passages that a command can be read with
STAGES = {
    "queued": "Waiting",
    "baseline": "Training with everything, once for all",
    "retraining": "Training without the passages",
}


class LeftOutPassage(BaseModel):
    """A passage that the model did not read."""

    id: int
    external_id: str
    text: str
    url: PageUrl


class WithoutRow(BaseModel):
    """One prompt: what was predicted and what was measured. Changes are of the natural logarithm of the probability.

    Args:
        before, after: log p of the completion, trained with everything and without the passages.
        inside: whether the measured change lies in the predicted interval.
    """

    id: str
    prompt: str
    completion: str
    predicted: PredictedChange
    before: float | None = None
    after: float | None = None
    change: float | None = None
    inside: bool | None = None
    says_before: str | None = None
    says_after: str | None = None


class WithoutPage(BaseModel):
    """One training without passages in whatever state it is, and all that it takes to repeat it."""

    title: str
    id: str
    status: str
    stage: str
    stage_label: str
    done: int
    total: int | None
    error: dict[str, Any] | None
    pending: bool
    corpus: str
    outcome: str
    left_out: int
    never_read: int
    of: int | None  # passages that the small model reads
    rows: list[WithoutRow]
    passages: list[LeftOutPassage]
    request: dict[str, Any]  # what to send to ask for the same again
    config: dict[str, Any]
    only: str
    corpus_sha256: str
    result: dict[str, Any]  # digest of what was read, threads, versions, seconds
    command: str
    cancel_url: str
    url: PageUrl
    permalink: str
    created_at: Moment
    finished_at: Moment | None


class WithoutLink(BaseModel):
    """A training without passages, in a list; of its first prompt, by how much log p was predicted to change and changed."""

    id: str
    url: PageUrl
    prompt: str
    completion: str
    left_out: int
    predicted: float | None
    low: float | None
    high: float | None
    change: float


@page_route(router, "/without/{id_}", WithoutPage, "get_without")
def without_page(request: Request, session: Db, id_: Slug) -> Response:
    """A training without some passages: how far it is, then predicted and measured for each prompt."""
    page = load(request, session, find_without(session, id_))
    return respond(request, page, "without.html", block="live")


@router.post("/without/{id_}/cancel", include_in_schema=False)
def cancel_without(request: Request, id_: Slug) -> Response:
    """Take the training back."""
    with request.app.state.store.session() as session:
        jobs.cancel(session, find_without(session, id_).id)
    return RedirectResponse(urls.without(id_), status_code=303)


@action_route(router, "/without/{id_}/cancel", WithoutPage, "cancel_without", statuses=(), status=200)
def cancel_without_api(request: Request, id_: Slug) -> WithoutPage:
    """It is not trained further; what is over stays as it is."""
    with request.app.state.store.session() as session:
        jobs.cancel(session, find_without(session, id_).id)
        return load(request, session, find_without(session, id_))


def load(request: Request, session: Session, job: Job) -> WithoutPage:
    """The page of a training."""
    asked, result = job.request, job.result or {}
    texts = leaving.passages_by_id(session, asked["ids"][:SHOWN])
    shown = [texts[id_] for id_ in asked["ids"][:SHOWN] if id_ in texts]
    prompts = asked["prompts"]
    return WithoutPage(
        title="Trained without" if job.state == "done" else "Train without these",
        id=job.id,
        status=job.state,
        stage=job.stage,
        stage_label=STAGES.get(job.stage, job.stage),
        done=job.done,
        total=job.total,
        error=job.error,
        pending=job.state not in jobs.OVER,
        corpus=asked["corpus"],
        outcome=asked["outcome"],
        left_out=len(asked["ids"]),
        never_read=asked["never_read"],
        of=result.get("passages"),
        rows=rows_of(job),
        passages=[
            LeftOutPassage(
                id=each.id, external_id=each.external_id, text=each.text[:400], url=urls.passage(each.id)
            )
            for each in shown
        ],
        request={"passages": asked["ids"], "prompts": prompts},
        config=asked["config"],
        only=asked["only"],
        corpus_sha256=asked["corpus_sha256"],
        result={name: value for name, value in result.items() if name != "prompts"},
        command=_command([each.external_id for each in shown], asked),
        cancel_url=urls.without(job.id, "cancel"),
        url=urls.without(job.id),
        permalink=origin(request) + urls.without(job.id),
        created_at=jobs.utc(job.created_at),
        finished_at=jobs.utc(job.finished_at) if job.finished_at else None,
    )


def rows_of(job: Job) -> list[WithoutRow]:
    """Each prompt with what was predicted, and measured as far as it is."""
    found = []
    measured = (job.result or {}).get("prompts") or [None] * len(job.request["prompts"])
    for asked, told, both in zip(job.request["prompts"], job.request["predicted"], measured, strict=True):
        predicted = PredictedChange.model_validate(told)
        row = WithoutRow(
            id=asked["id"], prompt=asked["prompt"], completion=asked["completion"], predicted=predicted
        )
        if both is not None:
            change = both["after"] - both["before"]
            low, high = predicted.low, predicted.high
            inside = None if low is None or high is None else low <= change <= high
            row = row.model_copy(update={**both, "change": change, "inside": inside})
        found.append(row)
    return found


def recent(session: Session, limit: int) -> list[WithoutLink]:
    """The trainings done last, for a list."""
    links = []
    for job in recent_without(session, limit=limit):
        first = rows_of(job)[0]
        links.append(
            WithoutLink(
                id=job.id,
                url=urls.without(job.id),
                prompt=first.prompt,
                completion=first.completion,
                left_out=len(job.request["ids"]),
                predicted=first.predicted.change,
                low=first.predicted.low,
                high=first.predicted.high,
                change=first.change or 0.0,
            )
        )
    return links


def _command(named: list[str], asked: dict[str, Any]) -> str:
    """What trains it again; of many passages, the request that does."""
    prompts = [each["id"] for each in asked["prompts"]]
    if len(named) == len(asked["ids"]) <= NAMED and all(prompts):
        parts = ["startrail", "without", *named, "--corpus", asked["corpus"]]
        for prompt in prompts:
            parts += ["--prompt", prompt]
        return shlex.join(parts)
    body = {"passages": ["…"], "prompts": ["…"]}
    return f"POST {urls.api(urls.without())} {json.dumps(body, ensure_ascii=False)}"
