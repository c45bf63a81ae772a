"""`/passages/{id}`: a passage, the facts it states, and every prompt it was found for."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.store.examples import found_for, found_for_by_run, get_passage, stated_facts
from app.store.tables import Output, Prompt, Retrieved, Run
from app.tracing.explained import asked_of, said_otherwise
from app.web.browsing.over_steps import Began, began
from app.web.evidence.card_plot import Moved
from app.web.evidence.card_text import clean
from app.web.evidence.cards import Measured, PassageText, measured, written
from app.web.evidence.share_card import og_title
from app.web.marking.highlight import Span, find
from app.web.reading.moved import moved_by
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.params import Count, Id, Limit, RunName
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.shareable import Shareable
from app.words.answers import TARGET
from app.words.cutting import ELLIPSIS, cut
from app.words.saying import plural

router = APIRouter()
SHOWN = 50
MOVED = 10  # answers


class FoundFor(Measured):
    """One prompt for which the passage was retrieved."""

    side: str
    run: str
    run_name: str
    prompt: str
    target: str
    explained: str  # of the prompt, by the run: its target, or what the model said
    task: str
    url: PageUrl


class RunCount(BaseModel):
    """For how many prompts of a run the passage was retrieved."""

    run: str
    name: str
    prompts: int
    url: PageUrl
    chosen: bool


class StatedPrompt(BaseModel):
    """A prompt whose fact the passage states."""

    prompt: str
    target: str
    url: PageUrl | None


class PassagePage(PassageText, Shareable):
    """The page. It shows the whole text, however long: other pages lead here for that."""

    title: str
    id: int
    external_id: str
    corpus: str
    position: int
    meta: dict[str, Any]
    states: list[StatedPrompt]
    moved: list[Moved]  # answers by how far one training step on it moved them
    runs: list[RunCount]
    found_for: list[FoundFor]
    began: list[Began]
    total: int
    more_url: PageUrl | None
    trace_url: PageUrl
    without_url: PageUrl


@page_route(router, "/passages/{id}", PassagePage, "get_passage")
def passage_page(
    request: Request,
    session: Db,
    id: Id,
    run: RunName = "",
    offset: Count = 0,
    limit: Limit = None,
) -> Response:
    """A passage and the prompts it is a proponent or opponent of, best ranks first."""
    passage = get_passage(session, id)
    counts = found_for_by_run(session, id)
    size = limit or SHOWN
    rows = found_for(session, id, run=run, offset=offset, limit=size)
    total = sum(count for each, count in counts if run in ("", each.slug))
    stated = stated_facts(session, id)
    places = {prompt.id: urls.example(of_run.slug, prompt.slug) for _, of_run, prompt, _ in rows}
    page = PassagePage(
        title=f"Passage {id}",
        id=id,
        external_id=passage.external_id,
        corpus=passage.corpus.name,
        position=passage.position,
        **dict(written(passage, _spans(passage.text, stated))),
        meta=passage.meta,
        states=[
            StatedPrompt(prompt=each.text, target=each.target, url=places.get(each.id)) for each in stated
        ],
        moved=moved_by(session, id, MOVED),
        runs=[
            RunCount(
                run=each.slug,
                name=each.name,
                prompts=count,
                url=urls.passage(id, run="" if each.slug == run else each.slug),
                chosen=each.slug == run,
            )
            for each, count in counts
        ],
        began=began(session, id),
        found_for=[_found_for(*each) for each in rows],
        total=total,
        more_url=urls.passage(id, run=run, offset=offset + size, limit=limit)
        if offset + size < total
        else None,
        without_url=urls.without(passage=id),
        trace_url=urls.trace_form(prompt=cut(passage.text, 300).removesuffix(ELLIPSIS)),
        og_title=og_title(passage.text, ""),
        og_text=f"A training passage of {cut(clean(passage.corpus.name), 80)}, found for {plural(total, 'prompt')}.",
        og_image=urls.card(urls.passage(id)),
        og_url=urls.passage(id),
    )
    return respond(request, page, "passage.html", block="found_for")


def _found_for(row: Retrieved, run: Run, prompt: Prompt, output: Output | None) -> FoundFor:
    other = run.explains == TARGET and said_otherwise(prompt, output)  # then the page opens on what was said
    return FoundFor(
        **measured(row).model_dump(),
        side=row.side,
        run=run.slug,
        run_name=run.name,
        prompt=prompt.text,
        target=prompt.target,
        explained=asked_of(run.explains, prompt, output).explained.strip(),
        task=prompt.task,
        url=urls.proponent(run.slug, prompt.slug, row.rank, row.side, TARGET if other else ""),
    )


def _spans(text: str, stated: Sequence[Prompt]) -> list[Span]:
    """Subjects and targets of the facts that the passage states."""
    subjects = find(text, [each.subject for each in stated if each.subject], "subject")
    targets = find(text, [term for each in stated for term in (each.target, *each.aliases)], "target")
    return sorted(subjects + targets, key=lambda span: (span.start, span.end))
