"""`/prompts`: browse and search the prompts of a run; all of the page's state is in its URL."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.errors import NotFound
from app.store import browse, full_text
from app.store.runs import get_run, list_runs
from app.web.browsing.list_query import After, AskedQuery, Before
from app.web.browsing.listing import Listing, make_listing
from app.web.marking.highlight import Span, find
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.params import HELD, Limit, RunName
from app.web.site.respond import respond
from app.web.site.routing import page_route

router = APIRouter()
MOST_RUNS = 24  # whose prompts are counted beside the chosen run's


class RunChoice(BaseModel):
    """A run whose prompts can be browsed."""

    slug: str
    name: str
    prompts: int
    chosen: bool
    url: PageUrl


class FoundPassage(BaseModel):
    """A passage that contains the words searched for."""

    id: int
    url: PageUrl
    text: str
    spans: list[Span]


class PromptsPage(BaseModel):
    """The page; `listing` is None where no run has been made yet."""

    title: str = "Prompts"
    runs: list[RunChoice]
    listing: Listing | None
    passages: list[FoundPassage]


@page_route(router, "/prompts", PromptsPage, "list_prompts")
def prompts_page(
    request: Request,
    session: Db,
    asked: AskedQuery,
    run: RunName = "",
    after: After = None,
    before: Before = None,
    limit: Limit = None,
) -> Response:
    """Prompts of a run, filtered (`task`, `relation`, `frequency`, `right`, …, `where`), searched (`q`), in pages."""
    runs = [each for each in list_runs(session) if each.status == "done"]
    if not runs:
        return respond(request, PromptsPage(runs=[], listing=None, passages=[]), "prompts.html")
    chosen = get_run(session, run) if run else runs[0]
    others = [each for each in runs if each.slug != chosen.slug]
    listing = make_listing(
        session, request, chosen, asked, after=after, before=before, limit=limit, runs=others[:MOST_RUNS]
    )
    page = PromptsPage(
        runs=[
            RunChoice(
                slug=each.slug,
                name=each.name,
                prompts=listing.runs.get(each.slug, each.prompt_count),
                chosen=each.slug == chosen.slug,
                url=urls.prompts(run=each.slug, **asked.query(), limit=limit),
            )
            for each in runs
        ],
        listing=listing,
        passages=[
            FoundPassage(
                id=each.id,
                url=urls.passage(each.id),
                text=each.text[:400],
                spans=find(each.text[:400], full_text.words(asked.q), "verbatim"),
            )
            for each in full_text.search_passages(session, asked.q)
        ],
    )
    return respond(request, page, "prompts.html", block="results", status=422 if listing.error else 200)


@router.get("/random", include_in_schema=False)
def random_prompt(session: Db, asked: AskedQuery, run: RunName = "") -> Response:
    """A prompt drawn from the list that the query makes."""
    chosen = get_run(session, run) if run else next(iter(list_runs(session)), None)
    slug = browse.random_one(session, chosen, asked.filters()) if chosen else None
    if chosen is None or slug is None:
        raise NotFound("There is no prompt to draw from.", remedy="Drop a filter.")
    headers = {"Cache-Control": "no-store"}
    return RedirectResponse(urls.example(chosen.slug, slug, **asked.query()), 303, headers)


@router.get("/go", include_in_schema=False)
def go_to(
    session: Db, asked: AskedQuery, run: RunName, n: Annotated[int, Query(ge=-HELD, le=HELD)]
) -> Response:
    """The n-th prompt of the list that the query makes, counted from 1."""
    chosen = get_run(session, run)
    slug = browse.nth(session, chosen, asked.filters(), asked.sort, n) if n > 0 else None
    if slug is None:
        total = browse.count(session, chosen, asked.filters())
        raise NotFound(
            f"There is no prompt number {n} here.", remedy=f"Choose from 1 to {total:,}.", field="n"
        )
    return RedirectResponse(urls.example(chosen.slug, slug, **asked.query()), 303)
