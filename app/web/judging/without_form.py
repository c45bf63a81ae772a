"""`/without`: tick passages, see at once what is predicted without them, and have a small model trained without them."""

from collections.abc import Sequence
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.settings import Settings
from app.store.work_tables import Job
from app.tracing.questions import MAX_BODY
from app.tracing.without import (
    MOST_PASSAGES,
    MOST_PROMPTS,
    AskedOf,
    PredictedChange,
    WithoutRequest,
    ask_without,
    bounded,
)
from app.truth.calibration import log_probability
from app.truth.kept import KeptOutcome
from app.web.judging.without_choices import Chosen, GroupChoice, Wanted, chosen, predicted
from app.web.judging.worth import Worth, worth_of
from app.web.site import urls
from app.web.site.body import build, read_form, read_json
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.params import LARGEST_ID, LONGEST, Plain, RunName
from app.web.site.promised import problems
from app.web.site.respond import origin, respond, wants_json
from app.web.site.routing import action_route, json_body, page_route
from app.web.site.serialize import json_bytes

router = APIRouter()
TICKED = 200  # passages that a form can name one by one: an address has no room for more
Passages = Annotated[
    list[Annotated[int, Field(ge=0, le=LARGEST_ID)]],
    Query(max_length=TICKED, description="ids of passages to leave out"),
]
Groups = Annotated[
    list[Annotated[Plain, Field(max_length=LONGEST)]],
    Query(
        alias="all",
        max_length=20,
        description="passages to leave out together: `states:PROMPT`, `near:PASSAGE`, `source:PASSAGE:FIELD`",
    ),
]
Prompts = Annotated[
    list[Annotated[Plain, Field(max_length=LONGEST)]],
    Query(max_length=MOST_PROMPTS, description="ids of the prompts to ask"),
]

Source = Annotated[Plain, Query(max_length=LONGEST, description="id of a trace whose passages are offered")]
Words = Annotated[Plain, Query(max_length=LONGEST, description="passages with all these words are offered")]


class TickedPassage(BaseModel):
    """A passage that can be ticked."""

    id: int
    external_id: str
    text: str
    url: PageUrl
    checked: bool


class PromptChoice(BaseModel):
    """A prompt that is asked, with what is predicted of it; `before`: log p with everything, where it is known."""

    id: str
    prompt: str
    completion: str
    before: float | None = None
    foretold: PredictedChange | None = None


class WithoutFormPage(BaseModel):
    """What can be ticked, what is ticked, and what is predicted without it."""

    title: str = "Train without these"
    corpus: str
    passages: list[TickedPassage]
    groups: list[GroupChoice]
    prompts: list[PromptChoice]
    left_out: int
    most: int = MOST_PASSAGES
    run: str
    trace: str
    q: str
    trains: bool  # a small model of this corpus can be trained
    worth: Worth | None
    error: dict[str, Any] | None = None


class TrainingTicket(BaseModel):
    """Where the training is."""

    id: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    reused: bool = Field(description="It was asked for before.")
    url: str
    json_url: str


@page_route(router, "/without", WithoutFormPage, "get_without_form", also=problems(409))
def without_form(
    request: Request,
    session: Db,
    settings: Config,
    passage: Passages = [],  # noqa: B006  # FastAPI copies it
    all_of: Groups = [],  # noqa: B006
    prompt: Prompts = [],  # noqa: B006
    run: RunName = "",
    trace: Source = "",
    q: Words = "",
) -> Response:
    """Passages to tick, and what is predicted of some prompts (`prompt`) without those that are."""
    wanted = Wanted(tuple(passage), tuple(all_of), run, tuple(prompt), trace, q)
    page, status = _page(session, settings, wanted, told=wants_json(request))
    return respond(request, page, "without_form.html", status=status)


@router.post("/without", include_in_schema=False)
async def train_without(request: Request) -> Response:
    """Take the form: on to the training, or back to the form with what is wrong."""
    fields = await read_form(request, MAX_BODY)
    state = request.app.state

    def put() -> Response:
        wanted = _wanted(fields)
        with state.store.session() as session:
            try:
                job = _ask(session, state.settings, wanted)
            except UserError as error:
                page, _ = _page(session, state.settings, wanted, error)
                wait = getattr(error, "retry_after", None)
                headers = {"Retry-After": str(wait)} if wait else None
                return respond(request, page, "without_form.html", status=error.status, headers=headers)
            return RedirectResponse(urls.without(job.id), status_code=303)

    return await anyio.to_thread.run_sync(put)


@action_route(
    router,
    "/without",
    TrainingTicket,
    "train_without",
    body=json_body(WithoutRequest),
    statuses=(409,),
    done={200: {"model": TrainingTicket, "description": "Trained before."}},
)
async def train_without_api(request: Request) -> Response:
    """Queue a training of the small model without these passages. What comes of it stands at `json_url`."""
    wanted = await read_json(request, MAX_BODY, WithoutRequest)
    state = request.app.state

    def put() -> Response:
        with state.store.session() as session:
            asked = ask_without(session, state.settings, wanted)
            ticket = _ticket(request, asked.job, asked.reused)
        return Response(
            json_bytes(ticket), 200 if ticket.reused else 202, {"Location": ticket.url}, "application/json"
        )

    return await anyio.to_thread.run_sync(put)


def _wanted(fields: Sequence[tuple[str, str]]) -> Wanted:
    """The form as it was sent.

    Raises:
        UserError: a field is not the form's or stands twice, or a passage is no number.
    """
    several: dict[str, list[str]] = {"passage": [], "all": [], "prompt": []}
    single = {"run": "", "trace": "", "q": ""}
    for name, value in fields:
        if name in several:
            several[name].append(value[:LONGEST].replace("\0", "\ufffd"))
        elif name not in single or single[name]:
            said = "stands twice in the form" if name in single else "is no field of this form"
            raise UserError(f"“{name[:80]}” {said}.", remedy="Leave it out.", field=name[:80])
        else:
            single[name] = value[:LONGEST].replace("\0", "\ufffd")
    ids = [value for value in several["passage"] if value.isascii() and value.isdigit() and len(value) < 19]
    if len(ids) < len(several["passage"]):
        raise UserError("A passage's id is a number.", remedy="Tick passages of the page.", field="passage")
    return Wanted(tuple(map(int, ids)), tuple(several["all"]), prompts=tuple(several["prompt"]), **single)


def _ask(session: Session, settings: Settings, wanted: Wanted) -> Job:
    found = chosen(session, settings, wanted)
    bounded(len(found.ids))
    if not found.asked:
        raise UserError("No prompt is asked.", remedy="Tick one of an example or a trace.", field="prompt")
    told = predicted(session, settings, found)
    values = {"passages": found.ids, "prompts": found.asked, "visibility": found.visibility}
    request = build(WithoutRequest, values)
    return ask_without(session, settings, request, told).job


def _ticket(request: Request, job: Job, reused: bool) -> TrainingTicket:
    page = urls.without(job.id)
    base = origin(request)
    return TrainingTicket(
        id=job.id, status=job.state, reused=reused, url=base + page, json_url=base + urls.api(page)
    )


def _page(
    session: Session,
    settings: Settings,
    wanted: Wanted,
    error: UserError | None = None,
    *,
    told: bool = False,
) -> tuple[WithoutFormPage, int]:
    """The form, with what is wrong in it; a script is `told` by a problem document."""
    found, changes = Chosen(), []
    try:
        found = chosen(session, settings, wanted)
        if found.ids and error is None:
            bounded(len(found.ids))
            changes = predicted(session, settings, found)
    except UserError as trouble:
        if told or trouble.status == 404:
            raise
        error = error or trouble
    ticked = set(wanted.passages)
    page = WithoutFormPage(
        corpus=found.offered[0].corpus.name if found.offered else "",
        passages=[
            TickedPassage(
                id=each.id,
                external_id=each.external_id,
                text=each.text[:400],
                url=urls.passage(each.id),
                checked=each.id in ticked,
            )
            for each in found.offered
        ],
        groups=found.groups,
        prompts=_prompts(found.asked, changes, found.kept),
        left_out=len(found.ids),
        run=wanted.run,
        trace=wanted.trace,
        q=wanted.q,
        trains=found.kept is not None,
        worth=worth_of(found.kept.calibration) if found.kept else None,
        error={"message": error.message, "remedy": error.remedy, "field": error.field} if error else None,
    )
    return page, error.status if error else 200


def _prompts(
    asked: Sequence[AskedOf], told: Sequence[PredictedChange], kept: KeptOutcome | None
) -> list[PromptChoice]:
    choices = []
    for at, each in enumerate(asked):
        place = kept.influences.places.get(each.id) if kept else None
        before = (
            None if kept is None or place is None else float(log_probability(kept.outcome.everything)[place])
        )
        choices.append(
            PromptChoice(
                id=each.id,
                prompt=each.prompt,
                completion=each.completion,
                before=before,
                foretold=told[at] if at < len(told) else None,
            )
        )
    return choices
