"""`/runs/{run}/prompts/{id}`: one output and its proponents. The page that matters most."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Query as Asking
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.errors import UserError
from app.settings import Settings
from app.store import browse
from app.store.examples import Example, found_for_counts, get_example, sides
from app.store.runs import get_run, sibling_runs
from app.tracing.asking import shade
from app.web.browsing.list_query import AskedQuery, ListQuery
from app.web.browsing.listing import Item, item, none_states
from app.web.evidence.cards import Card, Shown, cards_of
from app.web.evidence.chance import Standing, standing
from app.web.evidence.lanes import Evidence
from app.web.evidence.shading import SHOWN as SHADED
from app.web.evidence.shading import ShadingView, can_split, shading_of, token_influence
from app.web.evidence.stepping import stepped_when_read
from app.web.marking.highlight import Span, entities
from app.web.reading.choices import Choices, choices_of
from app.web.reading.example_parts import SharedWords, Stating, first_stating, rarest_stretches
from app.web.reading.explained import evidence_for, explained_of
from app.web.reading.share_card import og_text, og_title
from app.web.site import urls
from app.web.site.context import Config, Db
from app.web.site.params import Side, Slug
from app.web.site.respond import page_route, respond
from app.words.chance import read_chance
from app.words.saying import counted

router = APIRouter()
SHOWN, MOST_SHOWN = urls.SHOWN[0], urls.SHOWN[-1]
NEARBY = (6, 12)  # prompts of the list shown before and after this one


class Link(BaseModel):
    """One of several things to switch between."""

    label: str
    url: str
    chosen: bool


class Sample(BaseModel):
    """A sampled answer and how often it came."""

    text: str
    count: int


class ExamplePage(BaseModel):
    """One output: prompt, answer, retrieved passages, and where to go from here.

    `explained` is what the passages were searched for: what the model said, or the target, as `explains` says; where it
    said something wrong, `rather_than` is the truth, and in a run of contrasts the `contrast`, which is as it follows the
    prompt. `choices` are those of a task that chooses. `probability` is the target's.

    `total` is the length of the list that the query makes, `number` its place there where that is cheap to know.
    """

    title: str
    run: str
    run_name: str
    run_url: str
    method: str
    model: str
    corpus: str
    id: str
    slug: str
    task: str
    relation: str | None
    prompt: str
    target: str
    explains: str
    explained: str
    joint: str  # what stands between prompt and `explained`: a space, a line break, or nothing
    rather_than: str | None
    contrast: str | None
    choices: Choices | None
    said_probability: float | None
    subject: str | None
    aliases: list[str]
    ground_truth: str | None
    spans: list[Span]
    answer: str | None
    correct: bool | None
    probability: float | None
    confidence: float | None
    samples: list[Sample]
    frequency: int | None
    frequency_bucket: int | None
    first_correct_rank: int | None
    first_stating: Stating | None
    none_states: bool
    side: str
    proponents: list[Card]
    opponents: list[Card]
    chance_floor: float | None  # a score; None where the method's scores do not tell it
    above_chance: int | None
    opponent_chance_floor: float | None
    opponents_beyond_chance: int | None
    standing: Standing
    retrieved: int
    more_url: str | None
    views: list[Link]
    view: str
    shading: ShadingView | None
    evidence: Evidence
    sides: list[Link]
    runs: list[Link]
    stretches: list[SharedWords]
    number: int | None
    total: int
    random_url: str
    cite_url: str
    csv_url: str
    compare_url: str | None
    trace_url: str
    previous_url: str | None
    next_url: str | None
    list_url: str
    list: list[Item]
    extra: dict[str, object]
    og_title: str
    og_text: str
    og_image: str


VIEWS = {"entities": "Entities", "verbatim": "Verbatim", "tokens": "Token influence", "plain": "Plain"}


@page_route(router, "/runs/{slug}/prompts/{prompt}")
def example_page(
    request: Request,
    session: Db,
    settings: Config,
    slug: Slug,
    prompt: Slug,
    asked: AskedQuery,
    side: Side = "proponent",
    view: Annotated[
        Literal["entities", "verbatim", "tokens", "plain"],
        Asking(description="which spans: entities, verbatim, tokens or plain"),
    ] = "entities",
    show: Annotated[int, Asking(ge=1, le=MOST_SHOWN, description="how many passages, at most 5,000")] = SHOWN,
) -> Response:
    """One prompt of one run: the model's output and its ranked proponents (or side=opponent), with spans."""
    run = get_run(session, slug)
    example = get_example(session, run, prompt, side, limit=show)
    page = _page(session, settings, example, asked, side, view, show)
    shown = respond(request, page, "example.html", block="passages")
    return stepped_when_read(request, settings, example, shown)


@router.post("/runs/{slug}/prompts/{prompt}/tokens", include_in_schema=False)
def ask_tokens(
    request: Request, settings: Config, slug: Slug, prompt: Slug, side: Side = "proponent"
) -> Response:
    """Have the worker split the passages' influence over their tokens, and back to the page that waits for it."""
    with request.app.state.store.session() as session:  # committed before the browser comes back for the page
        example = get_example(session, get_run(session, slug), prompt, side, limit=SHADED)
        if not can_split(settings, example) or not example.retrieved:
            raise UserError("The index that this run was made with is not here.", status=409)
        shade(session, settings, shading_of(example))
    given = side if side == "opponent" else ""
    return RedirectResponse(urls.example(slug, prompt, side=given, view="tokens"), status_code=303)


def _page(
    session: Session,
    settings: Settings,
    example: Example,
    asked: ListQuery,
    side: str,
    view: str,
    show: int,
) -> ExamplePage:
    views = {key: name for key, name in VIEWS.items() if key != "tokens" or can_split(settings, example)}
    view = view if view in views else "entities"
    run, prompt, output, result = example.run, example.prompt, example.output, example.result
    state: dict[str, object] = {
        **asked.query(),
        "side": side if side == "opponent" else "",
        "view": view if view != "entities" else "",
        "show": show if show != SHOWN else "",
    }
    counts = found_for_counts(session, run.id, [row.passage_id for row in example.retrieved])
    ask_url = urls.token_influence(run.slug, prompt.slug, side=state["side"])
    shading, tokens = token_influence(session, settings, example, ask_url) if view == "tokens" else (None, {})
    cards = cards_of(example, Shown(view, counts, tokens, shading.most if shading else 0.0))
    filters = asked.filters()
    total = browse.count(session, run, filters)
    few = browse.is_few(run, total, sum(NEARBY))
    before = browse.page(
        session, run, filters, sort=asked.sort, before=result.position, size=NEARBY[0], few=few
    )
    after = browse.page(
        session, run, filters, sort=asked.sort, after=result.position, size=NEARBY[1], few=few
    )
    siblings = sibling_runs(session, prompt.id)
    others = [each.slug for each in siblings if each.slug != run.slug]
    left = example.retrieved_count - len(example.retrieved)
    plain = not asked.query()

    def here(**changes: object) -> str:
        return urls.example(run.slug, prompt.slug, **(state | changes))

    def on(rows: list[browse.ListedResult], at: int) -> str | None:
        return urls.example(run.slug, rows[at].prompt.slug, **state) if rows else None

    present = sides(session, result.id)
    said = explained_of(example)
    chance = read_chance(result.chance)
    measured = evidence_for(session, example, said, cards)
    return ExamplePage(
        title=f"{prompt.text}{said.text}",
        run=run.slug,
        run_name=run.name,
        run_url=urls.run(run.slug),
        method=run.method,
        model=run.model.name,
        corpus=run.corpus.name,
        id=prompt.external_id,
        slug=prompt.slug,
        task=prompt.task,
        relation=prompt.relation,
        prompt=prompt.text,
        target=prompt.target,
        explains=said.kind,
        explained=said.text.strip(),
        joint=said.text[: len(said.text) - len(said.text.lstrip())],
        rather_than=said.instead and said.instead.strip(),
        contrast=result.contrast,
        choices=choices_of(example),
        said_probability=output.said_probability if output else None,
        subject=prompt.subject,
        aliases=prompt.aliases,
        ground_truth=prompt.ground_truth,
        spans=entities(prompt.text, prompt.subject, [prompt.target, *prompt.aliases]),
        answer=output.answer if output else None,
        correct=output.correct if output else None,
        probability=output.probability if output else None,
        confidence=output.confidence if output else None,
        samples=[Sample(text=text, count=n) for text, n in counted(output.samples if output else [])],
        frequency=prompt.frequency,
        frequency_bucket=prompt.frequency_bucket,
        first_correct_rank=result.first_correct_rank,
        first_stating=first_stating(example, side, here),
        none_states=none_states(prompt, result, judged=example.judged),
        side=side,
        proponents=cards if side == "proponent" else [],
        opponents=cards if side == "opponent" else [],
        chance_floor=chance and chance.floor,
        above_chance=chance and chance.above,
        opponent_chance_floor=chance and chance.opponent_floor,
        opponents_beyond_chance=chance and chance.opponents_beyond,
        standing=standing(chance, run.method, said.probability, said.text.strip()),
        retrieved=example.retrieved_count,
        more_url=here(show=next((n for n in urls.SHOWN if n > show), MOST_SHOWN)) if left > 0 else None,
        views=[
            Link(label=name, url=here(view=_given(key)), chosen=key == view) for key, name in views.items()
        ],
        view=view,
        shading=shading,
        evidence=measured,
        sides=[
            Link(label=name, url=here(side=key if key == "opponent" else ""), chosen=key == side)
            for key, name in (("proponent", "Proponents"), ("opponent", "Opponents"))
            if key in present or key == side
        ],
        runs=[
            Link(
                label=each.name,
                url=urls.example(each.slug, prompt.slug, **state),
                chosen=each.slug == run.slug,
            )
            for each in siblings
        ],
        stretches=rarest_stretches(session, run, cards) if view == "verbatim" else [],
        number=result.position + 1 if plain else None,
        total=total,
        random_url=urls.random_prompt(run.slug, **asked.query()),
        cite_url=urls.cite(run.slug, prompt.slug),
        csv_url=urls.twin(here(), "csv"),
        compare_url=urls.compare(prompt.slug, [run.slug, others[0]]) if others else None,
        trace_url=urls.trace_form(prompt=prompt.text, completion=said.text, contrast=said.instead),
        previous_url=on(before, -1),
        next_url=on(after, 0),
        list_url=urls.prompts(run=run.slug, **asked.query()),
        list=[
            item(row, run, asked)
            for row in [*before, browse.ListedResult(result, prompt, output, example.judged), *after]
        ],
        extra={**prompt.extra, **result.extra},
        og_title=og_title(prompt.text, said.text),
        og_text=og_text(run.name, cards[0].text if cards else "", measured),
        og_image=urls.card(urls.example(run.slug, prompt.slug)),
    )


def _given(view: str) -> str:
    """How a view stands in the URL: not at all if it is the usual one."""
    return "" if view == "entities" else view
