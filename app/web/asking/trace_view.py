"""What the page of a trace shows: its state, the answer in the view chosen, and what was checked about it."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.steps import StepsOf
from app.store.tables import Passage
from app.store.work_tables import Job, Trace
from app.tracing.explained import span_of
from app.tracing.trace_results import Completion, Hit, Provenance, Ranking, TraceResult, TrainingResult
from app.web.evidence.cards import Card, Elsewhere, Measured, make_card, with_chance, with_shares, written
from app.web.evidence.chance import Standing, standing
from app.web.evidence.lanes import Evidence, after
from app.web.evidence.traced import alike, evidence_of_trace, to_measure, unasked
from app.web.marking.highlight import Span, find
from app.web.marking.overlap import rank_biased_overlap, shared
from app.web.site import urls
from app.words.methods import TRACKSTAR, method_label

STAGES = {
    "queued": "Waiting",
    "completing": "Completing the prompt",
    "encoding": "Encoding its gradient",
    "searching": "Searching the corpus",
    "done": "Ranked",
}


class Stage(BaseModel):
    """One step on the way to the answer."""

    name: str
    label: str
    state: Literal["past", "now", "to come"]


class Column(BaseModel):
    """What one method, or one side of a contrast, found."""

    name: str
    title: str
    proponents: list[Card]
    opponents: list[Card] = []
    standing: Standing


class View(BaseModel):
    """A way of looking at the answer; `shared` of `of` passages are TrackStar's too."""

    name: str
    title: str
    url: str
    current: bool
    shared: int | None = None
    of: int = 0
    overlap: float | None = None


class TokenMark(BaseModel):
    """A token of the completion that can be chosen; `start` and `end` are characters of it."""

    number: int
    text: str
    start: int
    end: int
    probability: float
    chosen: bool


class LinkedSpan(BaseModel):
    """Words of prompt and completion that stand in passages as they are."""

    start: int
    end: int
    text: str
    passages: int
    links: list[str]


class StepsView(BaseModel):
    """What one training step on each passage did to the target's probability, in percentage points."""

    id: str
    status: str
    error: str | None = None
    probability: float | None = None
    mean: float | None = None
    control: list[float] = []
    control_mean: float | None = None
    control_spread: float | None = None
    settings: dict[str, Any] = {}
    milliseconds: float | None = None


class Answer(BaseModel):
    """A finished trace in one view; `lead` stands between prompt and completion where an old trace left it out."""

    lead: str
    completion: Completion
    target: tuple[int, int]  # the characters of the completion that are explained
    generated: bool
    samples: list[str]
    tokens: list[TokenMark]
    contrast: Completion | None
    joined: str
    views: list[View]
    columns: list[Column]
    stretches: list[LinkedSpan]
    stretch_spans: list[Span]
    provenance: Provenance
    evidence: Evidence
    to_measure: list[int]  # passages of its lanes that no step is known of


def stages(job: Job) -> list[Stage]:
    """All stages of a question with a word for where it is; a given completion is not completed."""
    names = [n for n in STAGES if n != "completing" or job.request.get("completion") is None]
    at = names.index(job.stage) if job.stage in names else 0
    return [
        Stage(name=n, label=STAGES[n], state="past" if i < at else "now" if i == at else "to come")
        for i, n in enumerate(names)
    ]


def answer(
    session: Session,
    trace: Trace,
    view: str,
    trainings: Sequence[Job],
    since: str = "",
    taken: StepsOf | None = None,
) -> Answer:
    """The finished trace as the view shows it. One query, whatever it shows."""
    result = TraceResult.model_validate(trace.result)
    columns = _columns(result, view)
    texts = _texts(
        session, (hit for _, _, ranking in columns for hit in [*ranking.proponents, *ranking.opponents])
    )
    trained = alike(
        [
            *unasked(taken),
            *(TrainingResult.model_validate(each.result) for each in trainings if each.result),
        ]
    )
    changes = {step.passage_id: (each.probability, step.change) for each in trained for step in each.steps}
    ranks = {
        name: {hit.passage_id: hit.rank for hit in ranking.proponents}
        for name, ranking in result.rankings.items()
    }
    target = _target(trace, result)
    terms = [(target, "target")] + ([(result.contrast.text, "subject")] if result.contrast else [])
    drawn = []
    for name, title, ranking in columns:
        others = {other: places for other, places in ranks.items() if other != name}
        drawn.append(
            Column(
                name=name,
                title=title,
                proponents=with_chance(
                    _cards(ranking.proponents, texts, terms, others, changes), ranking.chance
                ),
                opponents=with_chance(
                    _cards(ranking.opponents, texts, terms, others, changes), ranking.chance, opponents=True
                ),
                standing=standing(
                    ranking.chance,
                    name if name in result.rankings else TRACKSTAR,
                    result.completion.probability,
                    result.completion.text,
                ),
            )
        )
    start, end = span_of(trace.request, result)
    anchors = {}
    if len(drawn) == 1:
        anchors = {card.passage_id: f"#p{card.rank}" for card in drawn[0].proponents}
        anchors |= {card.passage_id: f"#o{card.rank}" for card in drawn[0].opponents}
    return Answer(
        evidence=evidence_of_trace(result, result.completion.text[start:end], trained, anchors),
        to_measure=to_measure(result, trained),
        lead=result.joined[len(trace.request["prompt"]) : len(result.joined) - len(result.completion.text)],
        completion=result.completion,
        target=(start, end),
        generated=result.generated,
        samples=result.samples,
        tokens=[
            TokenMark(
                number=number,
                **token.model_dump(),
                chosen=token.start < end and token.end > start,
            )
            for number, token in enumerate(result.completion.tokens)
        ],
        contrast=result.contrast,
        joined=result.joined,
        views=_views(trace, result, view, since),
        columns=drawn,
        stretches=[
            LinkedSpan(
                start=match.start,
                end=match.end,
                text=result.joined[match.start : match.end],
                passages=match.passages,
                links=[urls.passage(id_) for id_ in match.passage_ids],
            )
            for match in result.verbatim
        ],
        stretch_spans=[Span(start=m.start, end=m.end, kind="verbatim") for m in result.verbatim],
        provenance=result.provenance,
    )


def training(job: Job) -> StepsView:
    """One check by training, finished or not."""
    shown = StepsView(id=job.id, status=job.state, error=(job.error or {}).get("message"))
    if job.result is None:
        return shown
    result = TrainingResult.model_validate(job.result)
    control = [step.change for step in result.control]
    return shown.model_copy(
        update={
            "probability": result.probability,
            "mean": fmean(step.change for step in result.steps),
            "control": control,
            "control_mean": fmean(control) if control else None,
            "control_spread": stdev(control) if len(control) > 1 else None,
            "settings": result.settings,
            "milliseconds": result.timings.get("total"),
        }
    )


def views_of(result: TraceResult) -> list[str]:
    """The names of the views this answer has, the default first."""
    return [*result.rankings, "verbatim", *(["sides"] if result.sides else []), "all"]


def _target(trace: Trace, result: TraceResult) -> str:
    start, end = span_of(trace.request, result)
    return result.completion.text[start:end]


def _columns(result: TraceResult, view: str) -> list[tuple[str, str, Ranking]]:
    if view == "all":
        return [(name, method_label(name), ranking) for name, ranking in result.rankings.items()]
    if view == "sides" and result.contrast:
        texts = (result.completion.text, result.contrast.text)
        return [
            (f"side-{at}", f"For “{text.strip()}”", ranking)
            for at, (text, ranking) in enumerate(zip(texts, result.sides, strict=True))
        ]
    if view in result.rankings:
        return [(view, method_label(view), result.rankings[view])]
    return []


def _texts(session: Session, hits: Iterable[Hit]) -> dict[int, Passage]:
    ids = sorted({hit.passage_id for hit in hits})
    return {p.id: p for p in session.scalars(select(Passage).where(Passage.id.in_(ids)))} if ids else {}


def _cards(
    hits: Sequence[Hit],
    texts: Mapping[int, Passage],
    terms: Sequence[tuple[str, str]],
    others: Mapping[str, Mapping[int, int]],
    changes: Mapping[int, tuple[float, float]],
) -> list[Card]:
    return with_shares(
        _card(hit, texts[hit.passage_id], terms, others, changes.get(hit.passage_id))
        for hit in hits
        if hit.passage_id in texts
    )


def _card(
    hit: Hit,
    passage: Passage,
    terms: Sequence[tuple[str, str]],
    others: Mapping[str, Mapping[int, int]],
    change: tuple[float, float] | None,
) -> Card:
    spans = [span for term, kind in terms for span in find(passage.text, [term.strip()], kind)]
    before, points = change or (None, None)
    said = Measured(
        rank=hit.rank,
        score=hit.score,
        tail_patch=points,
        before=before,
        after=None if before is None or points is None else after(before, points),
    )
    card = make_card(passage, said, written(passage.text, spans))
    for name, places in others.items():
        rank = places.get(hit.passage_id)
        lower = rank - hit.rank if rank else 0
        card.elsewhere.append(Elsewhere(name=name, label=method_label(name), rank=rank, lower=lower))
    return card


def _views(trace: Trace, result: TraceResult, view: str, since: str) -> list[View]:
    own = [hit.passage_id for hit in result.rankings[TRACKSTAR].proponents]
    titles = {"verbatim": "Word for word", "sides": "Side by side", "all": "All methods"}
    made = []
    for number, name in enumerate(views_of(result)):
        url = urls.trace(trace.id, view=name if number else None, since=since)
        one = View(name=name, title=titles.get(name) or method_label(name), url=url, current=name == view)
        if name in result.rankings and name != TRACKSTAR:
            other = [hit.passage_id for hit in result.rankings[name].proponents]
            one.shared, one.of = shared(own, other), max(len(own), len(other))
            one.overlap = rank_biased_overlap(own, other)
        made.append(one)
    return made
