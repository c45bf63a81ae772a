"""`/`: what this is, the story that shows why it is needed, the four tasks, and examples worth a look."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.settings import Settings
from app.store.browse import tallies
from app.store.memory import remembered
from app.store.runs import list_runs
from app.store.shelves import shelves
from app.store.showing import hidden_corpora
from app.store.stories import newest_steps
from app.store.tables import Run
from app.tracing.catalog import default_index
from app.web.browsing.list_query import ListQuery
from app.web.browsing.listing import Item, item
from app.web.evidence.embed import EmbedPage, embedded
from app.web.evidence.share_card import og_text
from app.web.front.invented import InventedPart, invented_of
from app.web.front.story import StoryPart, Suggestion, story_of, suggestions_of
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.links import PageUrl
from app.web.site.params import Embed
from app.web.site.respond import respond, wants_json
from app.web.site.routing import page_route
from app.web.site.shareable import Shareable
from app.words.tasks import task_name

router = APIRouter()


class TaskCount(BaseModel):
    """A task and how many prompts it has."""

    task: str
    name: str
    count: int
    right: int
    url: PageUrl


class Shelf(BaseModel):
    """A few examples of one kind."""

    name: str
    url: PageUrl
    items: list[Item]


class HomePage(Shareable):
    """The front page; `story` and `tasks` are empty until a run has been made."""

    title: str = "Startrail"
    run: str | None
    model: str | None
    parameters: int | None
    corpus: str | None
    passages: int
    tasks: list[TaskCount]
    story: StoryPart | None
    invented: InventedPart | None
    suggestions: list[Suggestion]
    shelves: list[Shelf]
    index: str


@page_route(router, "/", HomePage, "get_home")
def home_page(request: Request, session: Db, settings: Config, embed: Embed = False) -> Response:
    """The front page."""
    if embed and not wants_json(request) and (framed := embed_of(session, settings)):
        return embedded(request, framed)
    return respond(request, load(session, settings), "home.html")


def embed_of(session: Session, settings: Settings) -> EmbedPage | None:
    """The evidence of the front page's story alone; None where it has none."""
    page = load(session, settings)
    if page.story is None:
        return None
    return EmbedPage(
        title=page.title,
        prompt=page.story.prompt,
        answer=page.story.evidence.answer,
        model=page.model or "",
        evidence=page.story.evidence,
        url=page.story.url,
    )


def load(session: Session, settings: Settings) -> HomePage:
    """The front page's model."""
    runs = [run for run in list_runs(session) if run.status == "done"]
    main = runs[0] if runs else None
    newest = newest_steps(session)
    story = remembered(session, f"story{urls.ROOT.get()}:{newest}", runs, lambda: story_of(session, runs))
    return HomePage(
        run=main.slug if main else None,
        model=main.model.name if main else None,
        parameters=main.model.parameters if main else None,
        corpus=main.corpus.name if main else None,
        passages=main.corpus.passage_count if main else 0,
        tasks=_tasks(session, main) if main else [],
        story=story,
        invented=remembered(
            session, f"invented{urls.ROOT.get()}:{newest}", runs, lambda: invented_of(session, main)
        )
        if main
        else None,
        suggestions=remembered(
            session, f"suggested{urls.ROOT.get()}", [main], lambda: suggestions_of(session, main)
        )
        if main
        else [],
        shelves=remembered(session, f"shelves{urls.ROOT.get()}", [main], lambda: _shelves(session, main))
        if main
        else [],
        index=default_index(settings, hidden_corpora(session)),
        og_title="Startrail: which training passages made a language model say that?",
        og_text=og_text("", "", story.evidence if story else None),
        og_image=urls.card(urls.home()),
        og_url=urls.home(),
        embeds=bool(story and story.evidence.lanes),
    )


def _tasks(session: Session, run: Run) -> list[TaskCount]:
    tally = tallies(session, [run])[run.id]
    right = {each.value: each.count for each in tally.facets({"right": "yes"})["task"]}
    return [
        TaskCount(
            task=each.value,
            name=task_name(each.value),
            count=each.count,
            right=right.get(each.value, 0),
            url=urls.prompts(run=run.slug, task=each.value),
        )
        for each in tally.facets({})["task"]
    ]


def _shelves(session: Session, run: Run) -> list[Shelf]:
    found = []
    for kind, rows in shelves(session, run):
        asked = ListQuery(**kind.filters.chosen(), sort=kind.sort)
        url = urls.prompts(run=run.slug, **asked.query())
        found.append(Shelf(name=kind.name, url=url, items=[item(row, run, asked) for row in rows]))
    return found
