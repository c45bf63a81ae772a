"""`/finds/mistakes`: the prompts of a run that the model answered wrong, the surest of its mistakes first."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.store import browse
from app.store.browse import Filters, ListedResult
from app.store.engine import Store
from app.store.memory import state_of
from app.store.runs import get_run, list_runs
from app.store.tables import Run
from app.web.browsing.list_query import After, Before
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import etag
from app.web.site.links import PageUrl
from app.web.site.params import MOST_AT_ONCE, Limit, RunName
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import kind_of, streamed_table, table, table_route

router = APIRouter()
WRONG = Filters(right="no")
SORT = "sure"


class Mistake(BaseModel):
    """What the model said to a prompt, and what is right; probabilities of either, given the prompt."""

    prompt: str
    said: str | None
    said_probability: float | None
    truth: str
    truth_probability: float | None
    task: str
    relation: str | None
    frequency: int | None
    url: PageUrl


class MistakesPage(BaseModel):
    """Wrong answers of one run: `total` of the `judged` of its `prompts`; `run` is None where there is none yet."""

    title: str = "Mistakes"
    run: str | None = None
    run_name: str | None = None
    total: int = 0
    judged: int = 0
    prompts: int = 0
    items: list[Mistake] = []
    list_url: PageUrl | None = None
    first_url: PageUrl | None = None
    next_url: PageUrl | None = None


COLUMNS: dict[str, type] = dict.fromkeys(Mistake.model_fields, str) | {
    "said_probability": float,
    "truth_probability": float,
    "frequency": int,
}


@page_route(router, "/finds/mistakes", MistakesPage, "list_mistakes")
def mistakes_page(
    request: Request,
    session: Db,
    run: RunName = "",
    after: After = None,
    before: Before = None,
    limit: Limit = None,
) -> Response:
    """Wrong answers of a run, the one the model was surest of first, each with what would have been right."""
    done = [each for each in list_runs(session) if each.status == "done"]
    chosen = get_run(session, run) if run else next(iter(done), None)
    page = _page(session, chosen, run, after, before, limit) if chosen else MistakesPage()
    return respond(request, page, "mistakes.html")


@table_route(router, "/finds/mistakes", "export_mistakes")
def mistakes_file(request: Request, session: Db, run: RunName = "") -> Response:
    """All wrong answers of a run as a table."""
    chosen = (
        get_run(session, run) if run else next((e for e in list_runs(session) if e.status == "done"), None)
    )
    if chosen is None:
        return table(request, "mistakes", list(Mistake.model_fields), [])
    listing = browse.listed(session, chosen, WRONG, SORT)
    store: Store = request.app.state.store
    tag = etag(kind_of(request), state_of(chosen), len(listing))
    return streamed_table(request, "mistakes", COLUMNS, _rows(store, listing), tag=tag, count=len(listing))


def _rows(store: Store, listing: browse.PromptList) -> Iterator[dict[str, Any]]:
    for start in range(0, len(listing), MOST_AT_ONCE):
        with store.session() as session:
            run = get_run(session, listing.run.slug)
            found = browse.read(session, listing, start, start + MOST_AT_ONCE)
            made = [_mistake(row, run).model_dump() for row in found]
        yield from made


def _page(
    session: Session, run: Run, asked: str, after: int | None, before: int | None, limit: int | None
) -> MistakesPage:
    tally = browse.tally(session, run, Filters())
    right, total = (tally.count({"right": value}) for value in ("yes", "no"))
    listing = browse.listed(session, run, WRONG, SORT)
    window = browse.window(session, listing, after=after, before=before, limit=limit or browse.PAGE_SIZE)
    last = window.rows[-1].result.position if window.rows else None
    return MistakesPage(
        run=run.slug,
        run_name=run.name,
        total=total,
        judged=right + total,
        prompts=run.prompt_count,
        items=[_mistake(row, run) for row in window.rows],
        list_url=urls.prompts(run=run.slug, right="no", sort=SORT),
        first_url=urls.mistakes(run=asked, limit=limit) if window.before else None,
        next_url=urls.mistakes(run=asked, after=last, limit=limit) if window.after else None,
    )


def _mistake(row: ListedResult, run: Run) -> Mistake:
    prompt, output = row.prompt, row.output
    return Mistake(
        prompt=prompt.text,
        said=output.answer if output else None,
        said_probability=output.said_probability if output else None,
        truth=prompt.ground_truth or prompt.target,
        truth_probability=output.probability if output else None,
        task=prompt.task,
        relation=prompt.relation,
        frequency=prompt.frequency,
        url=urls.example(run.slug, prompt.slug),
    )
