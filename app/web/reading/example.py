"""`/runs/{run}/prompts/{id}`: one output and its passages. The page that matters most."""

from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi import Query as Asking
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.settings import Settings
from app.store.examples import Example, get_example
from app.store.runs import get_run
from app.store.steps import of_result, steps_of
from app.tracing import asking
from app.tracing.questions import MAX_BODY, Question
from app.web.browsing.list_query import AskedQuery
from app.web.evidence.embed import embed_of, embedded
from app.web.evidence.further import chosen_span
from app.web.evidence.shading import SHOWN as SHADED
from app.web.evidence.shading import can_shade, example_query, shading_of_example
from app.web.evidence.stepping import measured_when_read, reader_of
from app.web.reading.example_nearby import SHOWN, Asked
from app.web.reading.example_page import MOST_SHOWN, ExamplePage, example_page_of
from app.web.site import urls
from app.web.site.body import build, read_form
from app.web.site.context import Config, Db
from app.web.site.params import Embed, Explains, Slug
from app.web.site.respond import respond, wants_json
from app.web.site.routing import page_route
from app.words.answers import SAID
from app.words.passages import OPPONENT, PROPONENT

router = APIRouter()


@page_route(router, "/runs/{slug}/prompts/{prompt}", ExamplePage, "get_example")
def example_page(
    request: Request,
    session: Db,
    settings: Config,
    slug: Slug,
    prompt: Slug,
    listed: AskedQuery,
    explains: Explains = SAID,
    view: Annotated[
        Literal["", "entities", "verbatim", "tokens", "plain"],
        Asking(
            description="what is marked: entities, verbatim, tokens or plain; by itself tokens, once they are there"
        ),
    ] = "",
    show: Annotated[
        int, Asking(ge=1, le=MOST_SHOWN, description="how many passages a side, at most 5,000")
    ] = SHOWN,
    embed: Embed = False,
) -> Response:
    """One prompt of one run: the model's answer, what was measured, and the passages for and against it."""
    example = get_example(
        session, get_run(session, slug), prompt, PROPONENT, OPPONENT, limit=show, explains=explains
    )
    taken = steps_of(session, of_result(example.result.id))
    reader = reader_of(request)
    page = example_page_of(session, settings, example, Asked(listed, view, show), taken, reader)
    if embed and not wants_json(request) and (framed := embed_of(page)):
        return embedded(request, framed)
    shown = respond(request, page, "example.html", block="answer")
    shading = shading_of_example(settings, example)
    return measured_when_read(request, settings, shown, result_id=example.result.id, shading=shading)


@router.post("/runs/{slug}/prompts/{prompt}/tokens", include_in_schema=False)
def ask_tokens(
    request: Request, settings: Config, slug: Slug, prompt: Slug, explains: Explains = SAID
) -> Response:
    """Have the worker split the passages' influence over their tokens, and back to the page that waits for it."""
    with request.app.state.store.session() as session:  # committed before the browser comes back for the page
        run = get_run(session, slug)
        example = get_example(session, run, prompt, PROPONENT, OPPONENT, limit=SHADED, explains=explains)
        shading = shading_of_example(settings, example)
        if shading is None:
            raise UserError("The index that this run was made with is not here.", status=409)
        asking.shade(session, settings, shading)
    return RedirectResponse(
        urls.example(slug, prompt, explains=example.asked, view="tokens"), status_code=303
    )


@router.post("/runs/{slug}/prompts/{prompt}/span", include_in_schema=False)
async def ask_span(request: Request, slug: Slug, prompt: Slug, explains: Explains = SAID) -> Response:
    """Trace the words chosen, or why this rather than something else: a new trace."""
    settings: Settings = request.app.state.settings
    fields = await read_form(request, MAX_BODY)

    def put() -> str:
        with request.app.state.store.session() as session:
            example = get_example(session, get_run(session, slug), prompt, limit=0, explains=explains)
            if not can_shade(settings, example):
                raise UserError("The index that this run was made with is not here.", status=409)
            return urls.trace(asking.ask(session, settings, question_about(example, fields)).job.id)

    return RedirectResponse(await anyio.to_thread.run_sync(put), status_code=303)


def question_about(example: Example, fields: list[tuple[str, str]]) -> Question:
    """The question that the form beside an answer asks.

    Raises:
        UserError: nothing was chosen.
    """
    query = example_query(example)
    asked = {"prompt": query.prompt, "index": str(example.run.index_name), "opponents": True}
    contrast = dict(fields).get("contrast", "")
    if contrast:
        if "space" in dict(fields):
            contrast = f" {contrast.removeprefix(' ')}"
        answer = query.explained
        tokens = None if query.span else query.tokens
        return build(Question, asked | {"completion": answer, "tokens": tokens, "contrast": contrast})
    span = chosen_span(fields)
    return build(Question, asked | {"completion": query.completion, "tokens": query.tokens, "span": span})
