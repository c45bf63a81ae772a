"""`/compare/{prompt}?runs=a,b`: two to four runs on one prompt; what they share and what only one found."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.store import compare as ask
from app.store.tables import Prompt, Retrieved, Run
from app.tracing.explained import asked_of, explains_of
from app.web.evidence.answered import answer_names, probability_of
from app.web.evidence.card_text import clean
from app.web.evidence.cards import Card, Elsewhere, make_card, measured, with_shares, written
from app.web.evidence.lanes import Evidence, Lane
from app.web.evidence.share_card import og_title
from app.web.evidence.verdict import Piece, plain
from app.web.marking.highlight import Span, entities
from app.web.marking.overlap import rank_biased_overlap, shared
from app.web.reading.beside import LETTERS, evidence_beside, only_here_in_words, searched
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl, in_form
from app.web.site.params import Count, Explains, Runs, Slug
from app.web.site.promised import elsewhere
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.shareable import Shareable
from app.words.answers import SAID
from app.words.chat_text import read_on
from app.words.cutting import cut

router = APIRouter()
DEPTHS = (5, 10, 20, 50)
Depth = Annotated[
    Count, Query(description="how many passages of each run", json_schema_extra={"enum": list(DEPTHS)})
]


class RunLink(BaseModel):
    """A run named on the page, with the links that open it and that add it to or take it from the comparison."""

    slug: str
    name: str
    method: str
    model: str
    url: PageUrl
    change_url: PageUrl | None = None  # without it, or with it


class Side(BaseModel):
    """One run's column."""

    letter: str
    run: RunLink
    found: bool  # the run has a result for this prompt
    answer: str | None = None
    correct: bool | None = None
    probability: float | None = None
    first_correct_rank: int | None = None
    contrast: str | None = None  # what is explained is ranked against it
    searched: str = ""  # what the run ranked by, where more than one text is in question
    retrieved: int = 0
    only_here: int = 0  # of the first `depth`
    said: str = ""  # what only it found, and what one step on each of those did
    proponents: list[Card] = []


class Pair(BaseModel):
    """How alike two of the columns are."""

    letters: str  # of the two columns
    a: str
    b: str
    shared: int
    of: int
    overlap: float | None  # rank-biased, over all that was retrieved


class ComparePage(Shareable):
    """The whole page."""

    title: str
    slug: str
    task: str
    prompt: str
    target: str
    explains: str  # `said` or `target`, by the first run
    explained: str
    spans: list[Span]
    depth: int
    depths: dict[int, str]
    sides: list[Side]
    pairs: list[Pair]
    evidence: Evidence  # a lane for each run that was measured
    others: list[RunLink]
    differences_url: PageUrl | None


@page_route(router, "/compare/{slug}", ComparePage, "compare_prompt", also=elsewhere())
def compare(
    request: Request,
    db: Db,
    slug: Slug,
    runs: Runs = "",
    depth: Depth = 10,
    explains: Explains = SAID,
) -> Response:
    """Two to four runs on one prompt, `runs=a,b`; the prompt is named as in the first run's prompt set."""
    names = [name for name in runs.split(",") if name]
    if len(names) < 2:
        return RedirectResponse(_any_two(db, slug, names, request), 307)
    if depth not in DEPTHS:
        said = ", ".join(map(str, DEPTHS))
        raise UserError(f"The depth {depth} is not offered.", remedy=f"Use one of {said}.", field="depth")
    return respond(request, load(db, slug, names, depth, explains), "compare.html")


def load(session: Session, slug: str, names: Sequence[str], depth: int, explains: str = SAID) -> ComparePage:
    """The page for the prompt called `slug` in the first run's prompt set."""
    runs = ask.runs_named(session, names)
    prompt = ask.prompt_named(session, runs[0], slug)
    columns = ask.columns(session, runs, prompt, explains)
    first = columns[0]
    given = "" if explains == SAID else explains
    asked = asked_of(first.shown.explains, first.prompt or prompt, first.output).explained
    terms = answer_names(first.shown.explains, first.prompt or prompt, first.output)
    results = [column.result.id for column in columns if column.result]
    rows = ask.proponents(session, results, depth)
    ranks = ask.ranks(session, results)
    keys = _keys(runs, ranks)
    rankings = [keys[column.result.id] if column.result else [] for column in columns]
    places = [{key: rank for rank, key in reversed(list(enumerate(ranking, 1)))} for ranking in rankings]
    sides = []
    for at, column in enumerate(columns):
        link = _link(
            column.run,
            urls.example(column.run.slug, column.prompt.slug, explains=given) if column.prompt else "",
        )
        without = [name for name in names if name != column.run.slug]
        if at and len(without) > 1:  # the first run gives the prompt its name in the address
            link.change_url = urls.compare(slug, without, depth, given)
        passages = with_shares(
            _proponent(row, key, at, runs, places, prompt, terms, depth)
            for row, key in zip(rows[column.result.id] if column.result else [], rankings[at], strict=False)
        )
        sides.append(_side(column, at, link, passages, len(rankings[at])))
    evidence = evidence_beside(session, columns, prompt, ranks, depth)
    for side in sides:
        own = next((each for each in evidence.lanes if each.label == side.run.name), None)
        side.said = plain(_only_here(side, evidence, own))
        _stepped(side.proponents, evidence.before, own)
    return ComparePage(
        title=f"{read_on(prompt.text, asked)}: {' and '.join(run.name for run in runs)}",
        slug=slug,
        task=prompt.task,
        prompt=prompt.text,
        target=prompt.target,
        explains=explains_of(first.shown.explains, first.output),
        explained=asked.strip(),
        spans=entities(prompt.text, prompt.subject, ()),
        depth=depth,
        depths={d: urls.compare(slug, names, d, given) for d in DEPTHS},
        sides=sides,
        pairs=[_pair(runs, rankings, a, b, depth) for a, b in combinations(range(len(runs)), 2)],
        evidence=evidence,
        others=_others(session, prompt, names, depth),
        differences_url=urls.differences(names) if len(names) == 2 else None,
        og_title=og_title(prompt.text, prompt.target),
        og_text=cut(f"The passages of {' and '.join(clean(run.name) for run in runs)}, side by side.", 200),
        og_image=urls.card(urls.compare(slug, names)),
        og_url=urls.compare(slug, names),
    )


def _only_here(side: Side, evidence: Evidence, own: Lane | None) -> list[Piece]:
    """In words what only this run found; nothing of a run without a result."""
    if not side.found or evidence.before is None:
        return []
    alone = {card.passage_id for card in side.proponents if card.only_here}
    return only_here_in_words(side.run.name, evidence.before, own, alone, len(side.proponents))


def _stepped(cards: Sequence[Card], before: float | None, own: Lane | None) -> None:
    """Tell the cards what one step on each did, as far as the run's lane knows."""
    ends = {dot.passage_id: dot.after for dot in own.dots} if own else {}
    for card in cards:
        if card.passage_id in ends:
            card.before, card.after = before, ends[card.passage_id]


def _any_two(session: Session, slug: str, names: list[str], request: Request) -> str:
    """The address with runs named: those asked for, then the first that have this prompt."""
    first = ask.a_run_with(session, slug, names[0] if names else None)
    found = ask.runs_with(session, ask.prompt_named(session, first, slug))
    chosen = list(dict.fromkeys([first.slug, *(run.slug for run in found)]))[:2]
    if len(chosen) < 2:
        raise UserError(
            f"Only “{first.name}” has this prompt.",
            remedy="Load a second results file of the same prompts at /upload.",
            field="runs",
        )
    address = urls.compare(slug, chosen)
    return in_form(request, address)


def _keys(runs: Sequence[Run], lists: Mapping[int, Sequence[tuple[int, str]]]) -> dict[int, list[int | str]]:
    """Each result's passages in rank order, by what makes two of them the same passage."""
    one_corpus = len({run.corpus_id for run in runs}) == 1
    return {id_: [key[0] if one_corpus else key[1] for key in ranking] for id_, ranking in lists.items()}


def _side(column: ask.ComparedResult, at: int, link: RunLink, passages: list[Card], retrieved: int) -> Side:
    return Side(
        letter=LETTERS[at],
        run=link,
        found=column.result is not None,
        answer=column.output.answer if column.output else None,
        correct=column.output.correct if column.output else None,
        probability=probability_of(column.shown.explains, column.output),
        first_correct_rank=column.result.first_correct_rank if column.result else None,
        contrast=column.result.contrast if column.result else None,
        searched=searched(column),
        retrieved=retrieved,
        only_here=sum(passage.only_here for passage in passages),
        proponents=passages,
    )


def _proponent(
    row: Retrieved,
    key: int | str,
    at: int,
    runs: Sequence[Run],
    places: Sequence[dict[int | str, int]],
    prompt: Prompt,
    terms: Sequence[str],
    depth: int,
) -> Card:
    text = row.passage.text
    spans = entities(text, prompt.subject, terms)
    card = make_card(row.passage, measured(row), written(row.passage, spans))
    for other, place in enumerate(places):
        if other != at:
            rank = place.get(key)
            card.elsewhere.append(
                Elsewhere(
                    name=runs[other].slug,
                    label=runs[other].name,
                    rank=rank,
                    lower=rank - row.rank if rank else 0,
                    anchor=f"{LETTERS[other]}{rank}" if rank and rank <= depth else None,
                )
            )
    card.only_here = all(each.rank is None for each in card.elsewhere)
    return card


def _pair(runs: Sequence[Run], rankings: Sequence[list[int | str]], a: int, b: int, depth: int) -> Pair:
    first, second = (list(dict.fromkeys(rankings[at])) for at in (a, b))
    return Pair(
        letters=LETTERS[a] + LETTERS[b],
        a=runs[a].name,
        b=runs[b].name,
        shared=shared(first[:depth], second[:depth]),
        of=min(depth, max(len(first), len(second))) if first and second else 0,
        overlap=rank_biased_overlap(first, second),
    )


def _others(session: Session, prompt: Prompt, names: Sequence[str], depth: int) -> list[RunLink]:
    """Runs that also have this prompt, each with the address that adds it."""
    if len(names) == ask.MAX_RUNS:
        return []
    found = [run for run in ask.runs_with(session, prompt) if run.slug not in names]
    return [
        _link(run, urls.run(run.slug), urls.compare(prompt.slug, [*names, run.slug], depth)) for run in found
    ]


def _link(run: Run, url: str, change_url: str | None = None) -> RunLink:
    return RunLink(
        slug=run.slug,
        name=run.name,
        method=run.method,
        model=run.model.name,
        url=url,
        change_url=change_url,
    )
