"""The page model of one prompt of one run, from what the store knows of it."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.settings import Settings
from app.store.examples import Example, found_for_counts, get_example, other_subjects
from app.store.runs import get_run, sibling_runs
from app.store.steps import StepsOf, of_result, steps_of
from app.store.tables import Run
from app.tracing.trace_results import ShadingResult
from app.web.browsing.list_query import ListQuery
from app.web.browsing.listing import Item, none_states
from app.web.evidence.answer_page import AnswerPage, Link, chance_fields, samples_of_example
from app.web.evidence.answered import names_of
from app.web.evidence.cards import Card, Shown, cards_of
from app.web.evidence.chance import standing
from app.web.evidence.claim import Claim, tokens_as_pieces
from app.web.evidence.explained import claim_of, evidence_for, explained_of
from app.web.evidence.notes import noted
from app.web.evidence.parts import answer_parts
from app.web.evidence.reasons import give_reasons
from app.web.evidence.shading import (
    ShadedToken,
    ShadingView,
    can_shade,
    example_query,
    shading_of_example,
    token_influence,
)
from app.web.evidence.share_card import og_text, og_title
from app.web.evidence.stepping import NOBODY, Reader, is_filling
from app.web.marking.highlight import Span, entities
from app.web.reading.choices import Choices, choices_of
from app.web.reading.example_nearby import SHOWN, Asked, nearby
from app.web.reading.example_parts import (
    SharedWords,
    Stating,
    first_stating,
    rarest_stretches,
)
from app.web.site import urls
from app.web.site.links import PageUrl
from app.words.answers import TARGET
from app.words.chance import read_chance
from app.words.chat_text import read_on
from app.words.methods import method_label
from app.words.passages import OPPONENT, PROPONENT

MOST_SHOWN = urls.SHOWN[-1]
VIEWS = {"tokens": "Word by word", "entities": "Names", "verbatim": "Verbatim", "plain": "Plain"}


class ExamplePage(AnswerPage):
    """One output: prompt, answer, evidence, retrieved passages, and where to go from here.

    `explained` is what the passages were searched for: what the model said, or the target, as `explains` says; where it
    said something wrong, `rather_than` is the truth, and in a run of contrasts the `contrast`, which is as it follows the
    prompt. `choices` are those of a task that chooses. `probability` is the target's.

    `total` is the length of the list that the query makes, `number` its place there where that is cheap to know.
    """

    title: str
    run: str
    run_name: str
    run_url: PageUrl
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
    joint: str  # what stands between prompt and `explained`: a space, a line break, or nothing
    explained: str
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
    frequency: int | None
    frequency_bucket: int | None
    first_correct_rank: int | None
    first_stating: Stating | None
    none_states: bool
    explanations: list[Link]  # to switch between what the model said and the target, where both are explained
    retrieved: int
    more_url: PageUrl | None
    shading: ShadingView | None
    stretches: list[SharedWords]
    number: int | None
    total: int
    random_url: str
    previous_url: PageUrl | None
    next_url: PageUrl | None
    list_url: PageUrl
    list: list[Item]
    extra: dict[str, object]


def example_page_of(
    session: Session,
    settings: Settings,
    example: Example,
    asked: Asked,
    taken: StepsOf | None,
    reader: Reader = NOBODY,
) -> ExamplePage:
    """The page of an example; `taken` are the steps taken on its passages without being asked."""
    run, prompt, output, result = example.run, example.prompt, example.output, example.result
    explained = explained_of(example)
    claim = claim_of(example, explained)
    listed = example.listed
    place = {"explains": example.asked}
    here = _addresses(listed, prompt.slug, asked.query() | place)
    shading, tokens, split = _shading(session, settings, example, claim)
    view = asked.view or ("tokens" if shading and shading.status == "done" else "entities")
    view = view if view != "tokens" or shading else "entities"
    ids = [row.passage_id for row in example.retrieved]
    shown = Shown(
        view, found_for_counts(session, run.id, ids), tokens, shading.most if shading else 0.0, claim.said
    )
    proponents, opponents = (cards_of(example, side, shown) for side in (PROPONENT, OPPONENT))
    cards = [*proponents, *opponents]
    evidence = noted(session, evidence_for(session, example, explained, taken, cards))
    others = other_subjects(session, prompt, ids)
    give_reasons(cards, evidence, run.method, others, wrong=claim.right is False)
    chance = read_chance(result.chance)
    siblings = sibling_runs(session, prompt.id)
    rivals = [each.slug for each in siblings if each.slug != listed.slug]
    left = max(example.counts.values(), default=0) > asked.show
    return ExamplePage(
        title=read_on(prompt.text, explained.text),
        claim=claim,
        evidence=evidence,
        standing=standing(chance, run.method, claim.probability, claim.said),
        proponents=proponents,
        opponents=opponents,
        **chance_fields(chance),
        samples=samples_of_example(example),
        methods=[
            Link(
                label=each.name,
                url=urls.example(each.slug, prompt.slug, **asked.query(), **place),
                chosen=each.slug == listed.slug,
            )
            for each in siblings
        ],
        views=[
            Link(label=name, url=here(view=key), chosen=key == view)
            for key, name in VIEWS.items()
            if key != "tokens" or shading
        ],
        view=view,
        span_url=urls.example_span(listed.slug, prompt.slug, **place)
        if can_shade(settings, example)
        else None,
        filling=is_filling(session, settings, reader, of_result(result.id), taken, shading),
        parts=answer_parts(split, example_query(example).completion, proponents, opponents),
        run=listed.slug,
        run_name=listed.name,
        run_url=urls.run(listed.slug),
        method=run.method,
        model=run.model.name,
        corpus=run.corpus.name,
        id=prompt.external_id,
        slug=prompt.slug,
        task=prompt.task,
        relation=prompt.relation,
        prompt=prompt.text,
        target=prompt.target,
        explains=claim.explains,
        joint=claim.lead,
        explained=claim.said,
        rather_than=explained.instead and explained.instead.strip(),
        contrast=result.contrast,
        choices=choices_of(example),
        said_probability=output.said_probability if output else None,
        subject=prompt.subject,
        aliases=prompt.aliases,
        ground_truth=prompt.ground_truth,
        spans=entities(prompt.text, prompt.subject, names_of(example)),
        answer=output.answer if output else None,
        correct=output.correct if output else None,
        probability=output.probability if output else None,
        confidence=output.confidence if output else None,
        frequency=prompt.frequency,
        frequency_bucket=prompt.frequency_bucket,
        first_correct_rank=result.first_correct_rank,
        first_stating=first_stating(example, here),
        none_states=none_states(prompt, result, judged=example.judged),
        explanations=explanations(example, here),
        retrieved=example.counts.get(PROPONENT, 0),
        more_url=here(show=next((n for n in urls.SHOWN if n > asked.show), MOST_SHOWN)) if left else None,
        shading=shading,
        stretches=rarest_stretches(session, run, cards) if view == "verbatim" else [],
        random_url=urls.random_prompt(listed.slug, **asked.listed.query()),
        cite_url=urls.cite(listed.slug, prompt.slug, **place),
        csv_url=urls.twin(here(), "csv"),
        found_by=method_label(run.method),
        made=run.finished_at or run.created_at,
        compare_url=urls.compare(prompt.slug, [listed.slug, rivals[0]], explains=example.asked)
        if rivals
        else None,
        without_url=urls.without(run=run.slug, prompt=prompt.external_id),
        trace_url=urls.trace_form(prompt=prompt.text, completion=explained.text, contrast=explained.instead),
        list_url=urls.prompts(run=listed.slug, **asked.listed.query()),
        extra={**prompt.extra, **result.extra},
        og_title=og_title(prompt.text, explained.text),
        og_text=og_text(run.name, _first_text(proponents), evidence),
        og_image=urls.card(urls.example(listed.slug, prompt.slug, **place)),
        og_url=urls.example(listed.slug, prompt.slug, **place),
        embeds=bool(evidence.lanes),
        **nearby(session, example, asked),
    )


def whole_example(session: Session, settings: Settings, run: str, prompt: str) -> ExamplePage:
    """The page of the example of these names, as a reader sees it who came from no list.

    Raises:
        NotFound: no such run, or it has no such prompt.
    """
    example = get_example(session, get_run(session, run), prompt, PROPONENT, OPPONENT, limit=SHOWN)
    taken = steps_of(session, of_result(example.result.id))
    return example_page_of(session, settings, example, Asked(ListQuery(), "", SHOWN), taken)


def explanations(example: Example, here: Callable[..., str]) -> list[Link]:
    """To switch between what the model said and the target, where both are explained."""
    if not example.both:
        return []
    right = example.output is not None and example.output.correct
    return [
        Link(label="What it said", url=here(explains=""), chosen=not example.asked),
        Link(
            label="The target" if right else "The truth",
            url=here(explains=TARGET),
            chosen=bool(example.asked),
        ),
    ]


def _addresses(run: Run, slug: str, query: dict[str, object]) -> Callable[..., str]:
    """The address of this page with some of its parameters changed."""

    def here(**changes: object) -> str:
        return urls.example(run.slug, slug, **(query | changes))

    return here


def _shading(
    session: Session, settings: Settings, example: Example, claim: Claim
) -> tuple[ShadingView | None, dict[int, list[ShadedToken]], ShadingResult | None]:
    """How far the shading is, the tokens by passage, and all of it; the claim gets its own tokens where they are known."""
    asked = shading_of_example(settings, example)
    if asked is None:
        return None, {}, None
    ask_url = urls.token_influence(example.listed.slug, example.prompt.slug, explains=example.asked)
    view, tokens, split = token_influence(session, settings, asked, ask_url)
    if split is not None and split.completion is not None:
        query = example_query(example)
        claim.pieces = tokens_as_pieces(split.completion.tokens, query.span or (0, len(query.completion)))
    return view, tokens, split


def _first_text(cards: list[Card]) -> str:
    return cards[0].text if cards else ""
