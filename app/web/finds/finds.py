"""`/finds`: where words mislead, what another fact taught, what is known from one sentence, and the mistakes; with a feed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.store import finds
from app.store.finds import Find
from app.store.memory import remembered
from app.store.runs import list_runs
from app.store.tables import Run
from app.web.evidence.verdict import moved
from app.web.finds.atom import Entry, feed
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.downloads import etag, unless_known
from app.web.site.links import PageUrl
from app.web.site.moments import Moment
from app.web.site.respond import origin, respond
from app.web.site.routing import page_route
from app.web.site.tables import table, table_route
from app.words.chat_text import read_on

router = APIRouter()
SHOWN = 6  # of each kind on the page of all


@dataclass(frozen=True)
class FindKind:
    """A kind of find: `find` asks the store for those of all runs that are done, the most telling first."""

    title: str
    about: str
    find: Callable[[Session, Sequence[Run]], list[Find]]
    said: str  # of the passage, before what a step on it does


KINDS: Mapping[str, FindKind] = {
    "words-mislead": FindKind(
        "Where words mislead",
        "The passage that shares most words with prompt and answer, yet a training step on it makes the answer less likely.",
        finds.misled,
        "Word search puts this passage first; one training step on it moves the answer",
    ),
    "taught-by-another": FindKind(
        "What another fact taught",
        "A passage that does not state the fact, yet a training step on it makes the answer more likely.",
        finds.taught_by_another,
        "This passage does not state the fact; one training step on it moves the answer",
    ),
    "known-from-one": FindKind(
        "Known from one sentence",
        "A single passage of the corpus states the fact, and the model knows it.",
        lambda session, runs: finds.known_from_one(session, runs[0]),
        "Only this passage states the fact; one more training step on it moves the answer",
    ),
}
Kind = Annotated[
    Literal["words-mislead", "taught-by-another", "known-from-one"], InPath(description="a kind of find")
]


class FoundItem(BaseModel):
    """One find: `sentence` says what one step on `passage` did to `answer`, from `before` to `after` (0..1)."""

    kind: str
    prompt: str
    answer: str
    before: float | None
    after: float | None
    sentence: str
    passage: str
    passage_id: int
    passage_url: PageUrl
    run: str
    run_name: str
    model: str
    url: PageUrl
    found_at: Moment


class FoundShelf(BaseModel):
    """The finds of one kind, or the first of them; `total` counts at most 50."""

    kind: str
    title: str
    about: str
    url: PageUrl
    total: int
    items: list[FoundItem]


class FindsPage(BaseModel):
    """All kinds of finds, or one."""

    title: str
    kind: str
    shelves: list[FoundShelf]
    mistakes_url: PageUrl
    feed_url: str
    runs: int


@page_route(router, "/finds", FindsPage, "list_finds")
def finds_page(request: Request, session: Db) -> Response:
    """What is worth a look in the runs here, by what training steps did."""
    runs = _done(session)
    shelves = [_shelf(session, runs, kind, SHOWN) for kind in KINDS]
    return respond(request, _page("Finds", "", [each for each in shelves if each.items], runs), "finds.html")


@router.get("/finds.atom", include_in_schema=False)
def finds_feed(request: Request, session: Db) -> Response:
    """The finds as an Atom feed: a reader learns of new ones when a run was made or evaluated."""
    runs = _done(session)
    items = [item for kind in KINDS for item in _shelf(session, runs, kind, finds.MOST).items]
    base = origin(request)
    entries = [
        Entry(
            title=read_on(each.prompt, f" {each.answer}").strip(),
            url=base + each.url,
            id=f"{base}{each.url}#{each.kind}",
            updated=each.found_at,
            summary=each.sentence,
            text=each.passage,
            category=KINDS[each.kind].title,
        )
        for each in items
    ]
    entries.sort(key=lambda entry: (entry.updated, entry.id), reverse=True)
    body = feed("Startrail: finds", base + urls.finds(), base + urls.finds_feed(), entries)
    return unless_known(request, etag(body), body, "application/atom+xml; charset=utf-8")


@table_route(router, "/finds/{kind}", "export_finds")
def kind_file(request: Request, session: Db, kind: Kind) -> Response:
    """The finds of one kind as a table."""
    shelf = _shelf(session, _done(session), kind, finds.MOST)
    rows = [item.model_dump(mode="json") for item in shelf.items]
    return table(request, f"finds-{kind}", list(FoundItem.model_fields), rows)


@page_route(router, "/finds/{kind}", FindsPage, "list_finds_of_kind")
def kind_page(request: Request, session: Db, kind: Kind) -> Response:
    """The finds of one kind, the most telling first."""
    runs = _done(session)
    shelf = _shelf(session, runs, kind, finds.MOST)
    return respond(request, _page(shelf.title, kind, [shelf], runs), "finds.html")


def _page(title: str, kind: str, shelves: list[FoundShelf], runs: Sequence[Run]) -> FindsPage:
    return FindsPage(
        title=title,
        kind=kind,
        shelves=shelves,
        mistakes_url=urls.mistakes(),
        feed_url=urls.finds_feed(),
        runs=len(runs),
    )


def _done(session: Session) -> list[Run]:
    return [run for run in list_runs(session) if run.status == "done"]


def _shelf(session: Session, runs: Sequence[Run], kind: str, most: int) -> FoundShelf:
    """The finds of a kind, worked out again when a run was made or evaluated, or steps were taken for another answer."""
    told = KINDS[kind]
    name = f"finds {kind} {finds.steps_mark(session)}"
    found = remembered(session, name, runs, lambda: told.find(session, runs)) if runs else []
    return FoundShelf(
        kind=kind,
        title=told.title,
        about=told.about,
        url=urls.finds(kind),
        total=len(found),
        items=[_item(each, kind) for each in found[:most]],
    )


def _item(find: Find, kind: str) -> FoundItem:
    if find.before is None or find.after is None:
        sentence = "Only this passage states the fact."
    else:
        sentence = f"{KINDS[kind].said} {moved(100 * find.change).text}."
    return FoundItem(
        kind=kind,
        prompt=find.prompt,
        answer=find.answer,
        before=find.before,
        after=find.after,
        sentence=sentence,
        passage=find.passage,
        passage_id=find.passage_id,
        passage_url=urls.passage(find.passage_id),
        run=find.run,
        run_name=find.run_name,
        model=find.model,
        url=urls.example(find.run, find.slug),
        found_at=find.when,
    )
