"""`/trace`: ask a question of the model, anew or starting from an earlier one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.settings import Settings
from app.store import jobs, traces, workers
from app.store.showing import hidden_corpora
from app.store.work_tables import Job, Trace
from app.tracing import asking, catalog
from app.tracing.questions import MAX_BODY, MAX_CHARACTERS, Question
from app.web.site import urls
from app.web.site.body import build, read_form
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.params import LONGEST, Plain
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.words import joining
from app.words.chat_text import turns_written

router = APIRouter()
RECENT = 12
Typed = Annotated[str, Query(max_length=MAX_CHARACTERS)]


class IndexChoice(BaseModel):
    """An index that can be asked, with its model and corpus."""

    index: str
    model: str
    corpus: str
    passages: int
    chats: bool  # whether its model has a template for chats


class FieldError(BaseModel):
    """What is wrong with the question, and in which field."""

    field: str | None
    message: str
    remedy: str


class BorderHint(BaseModel):
    """Something about a border that may not have been meant, and the button that repairs it."""

    field: str
    message: str
    remedy: str


def doubts_of(asked: Mapping[str, Any], *, said: bool = False) -> list[BorderHint]:
    """What may not have been meant about a question's borders; of what the model `said` itself nothing is doubted."""
    completion = None if said else asked["completion"]
    found = joining.doubts(asked["prompt"], completion, asked["contrast"])
    return [BorderHint(field=each.field, message=each.message, remedy=each.remedy) for each in found]


class EarlierTrace(BaseModel):
    """An earlier trace."""

    id: str
    url: PageUrl
    prompt: str
    completion: str | None
    contrast: str | None
    status: str


class FormPage(BaseModel):
    """The form with what was typed, what can be asked, and what was asked lately."""

    title: str = "Trace"
    values: dict[str, Any]
    wrong: FieldError | None = None
    doubts: list[BorderHint] = []  # what may not have been meant; asked as it is if the reader says so
    choices: list[IndexChoice]
    before: EarlierTrace | None = None  # the trace that is edited and asked again
    recent: list[EarlierTrace]
    ready: bool  # a worker is there and has loaded


@page_route(router, "/trace", FormPage, "get_trace_form")
def trace_form(
    request: Request,
    db: Db,
    settings: Config,
    prompt: Typed = "",
    completion: Typed = "",
    contrast: Typed = "",
    from_: Annotated[
        Plain, Query(alias="from", max_length=LONGEST, description="id of the trace to begin from")
    ] = "",
) -> Response:
    """The form to ask with."""
    before = jobs.find(db, from_) if from_ else None
    values: dict[str, Any] = {"prompt": prompt, "completion": completion, "contrast": contrast}
    if before is not None and before.kind == "trace":
        values = Question.saved(before.request).model_dump()
    return respond(request, _page(db, settings, values, before=before), "trace_form.html")


@router.post("/trace", include_in_schema=False)
async def ask(request: Request) -> Response:
    """Take the form: on to the trace, or back to the form with what is wrong beside the field."""
    settings: Settings = request.app.state.settings
    fields: dict[str, str] = {}
    try:
        fields = dict(await read_form(request, MAX_BODY))
        wrong = None
    except UserError as error:
        wrong = error
    return await anyio.to_thread.run_sync(_ask, request, settings, fields, wrong)


def _ask(request: Request, settings: Settings, fields: dict[str, str], wrong: UserError | None) -> Response:
    since, repair, as_typed = (fields.pop(name, "") for name in ("since", "repair", "as_typed"))
    try:
        if wrong is not None:
            raise wrong
        fields = repaired(fields, repair)
        question = build(Question, question_fields(fields))
        found = [] if as_typed or question.messages else doubts_of(question.model_dump())
        if found:
            return doubtful(request, settings, fields, found, since)
        with request.app.state.store.session() as session:
            asked = asking.ask(session, settings, question)
        url = urls.trace(asked.job.id, since=since or None, again=1 if asked.reused else None)
        return RedirectResponse(url, status_code=303)
    except UserError as error:
        with request.app.state.store.session() as session:
            before = jobs.find(session, since) if since else None
            page = _page(session, settings, fields, before=before, error=error)
        wait = getattr(error, "retry_after", None)
        headers = {"Retry-After": str(wait)} if wait else None
        return respond(request, page, "trace_form.html", status=error.status, headers=headers)


def question_fields(fields: dict[str, str]) -> dict[str, Any]:
    """A form's fields as those of a question: what was left empty was not asked for; with `chat` the prompt is turns."""
    asked: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if asked.pop("chat", ""):
        turns = turns_written(asked.pop("prompt", ""))
        asked["messages"] = [{"role": role, "content": said} for role, said in turns] or None
    return {"prompt": ""} | asked


def doubtful(
    request: Request,
    settings: Settings,
    fields: Mapping[str, Any],
    found: Sequence[BorderHint],
    since: str,
) -> Response:
    """The form again, with what may not have been meant beside its field."""
    with request.app.state.store.session() as session:
        before = jobs.find(session, since) if since else None
        page = _page(session, settings, dict(fields), before=before, doubts=found)
    return respond(request, page, "trace_form.html", status=422)


def repaired(fields: dict[str, str], field: str) -> dict[str, str]:
    """The form after the first repair of the doubts about one of its fields; as it was, where there are none."""
    texts = [fields.get(name) or None for name in ("completion", "contrast")]
    found = [each for each in joining.doubts(fields.get("prompt", ""), *texts) if each.field == field]
    return fields | found[0].repaired if found else fields


def link(asked: Job | Trace, answer: Trace | None) -> EarlierTrace:
    """A question to be named on a page, with what the model said if that is known."""
    request = asked.request
    completion = request["completion"]
    if completion is None and answer:
        completion = answer.result["completion"]["text"]
    return EarlierTrace(
        id=asked.id,
        url=urls.trace(asked.id),
        prompt=request["prompt"],
        completion=completion,
        contrast=request["contrast"],
        status=asked.state if isinstance(asked, Job) else "done",
    )


def _page(
    session: Session,
    settings: Settings,
    values: dict[str, Any],
    *,
    before: Job | None = None,
    error: UserError | None = None,
    doubts: Sequence[BorderHint] = (),
) -> FormPage:
    hidden = hidden_corpora(session)
    choices = [
        IndexChoice(
            index=each.index,
            model=each.model,
            corpus=each.corpus,
            passages=each.passages,
            chats=each.chats,
        )
        for each in catalog.askables(settings, hidden)
    ]
    blank = {name: field.default for name, field in Question.model_fields.items()} | {
        "prompt": "",
        "chat": "",
    }
    return FormPage(
        values=blank | {"index": catalog.default_index(settings, hidden)} | values,
        wrong=FieldError(field=error.field, message=error.message, remedy=error.remedy) if error else None,
        doubts=list(doubts),
        choices=choices,
        before=link(before, traces.get(session, before.id)) if before is not None else None,
        recent=[link(trace, trace) for trace in traces.recent(session, limit=RECENT)],
        ready=any(worker.status == "ready" for worker in workers.alive(session)),
    )
