"""A finished trace as its page shows it: the same parts as an example's page, from what the worker saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.settings import Settings
from app.store.steps import StepsOf, of_trace
from app.store.tables import Model
from app.store.work_tables import Trace
from app.tracing.explained import explained, span_of
from app.tracing.questions import Shading
from app.tracing.trace_results import (
    Completion,
    Provenance,
    Ranking,
    ShadingResult,
    TraceResult,
    TrainingResult,
    TwoStages,
)
from app.web.asking.trace_cards import Column, Drawing, card_of, column, texts_of
from app.web.asking.trace_truth import with_truth
from app.web.asking.trace_view import View, views, views_of
from app.web.evidence.answer_page import Link, chance_fields, samples_of
from app.web.evidence.cards import Card
from app.web.evidence.claim import Claim, claim_of_trace
from app.web.evidence.lanes import AGAINST, FOR, RANDOM, WORDS, Evidence
from app.web.evidence.measured import after_steps, of_taken
from app.web.evidence.notes import noted
from app.web.evidence.parts import answer_parts
from app.web.evidence.reasons import give_reasons
from app.web.evidence.shading import ShadedToken, ShadingView, shading_of, token_influence
from app.web.evidence.share_card import og_text, og_title
from app.web.evidence.stepping import Reader, is_filling
from app.web.evidence.traced import alike, evidence_of_trace, to_measure, unasked
from app.web.marking.highlight import Span
from app.web.site import urls
from app.words.methods import BM25, method_label

MARKS = {"tokens": "Word by word", "names": "Names", "plain": "Plain"}


class LinkedSpan(BaseModel):
    """Words of prompt and completion that stand in passages as they are."""

    start: int
    end: int
    text: str
    passages: int
    links: list[str]


class Answer(BaseModel):
    """What of a finished trace an example does not have."""

    completion: Completion
    target: tuple[int, int]  # the characters of the completion that are explained
    generated: bool
    contrast: Completion | None
    joined: str
    views: list[View]
    columns: list[Column]
    stretches: list[LinkedSpan]
    stretch_spans: list[Span]
    provenance: Provenance
    to_measure: list[int]  # passages of its lanes that no step is known of
    method: str  # whose order is shown first
    stages: TwoStages | None


@dataclass(frozen=True)
class Looked:
    """How a reader looks at a trace: by which view, what is marked, and since which other trace."""

    view: str = ""
    marks: str = ""
    since: str = ""


def answered(
    session: Session,
    settings: Settings,
    trace: Trace,
    looked: Looked,
    trainings: Sequence[TrainingResult],
    taken: StepsOf | None,
    reader: Reader,
) -> dict[str, Any]:
    """The fields of the page that a finished trace fills in."""
    result = TraceResult.model_validate(trace.result)
    names = views_of(result)
    view = looked.view if looked.view in names else names[0]
    rankings = _rankings(result, view)
    trained = alike([*unasked(taken), *trainings])
    claim = with_truth(session, claim_of_trace(trace, result, _parameters(session, result.provenance.model)))
    single = rankings[0][2] if len(rankings) == 1 else None
    ids = _shown_ids(single, taken, decides=view == result.method)
    evidence = noted(session, _evidence(result, claim, trained, taken, ids))
    shading, tokens, split = _shading(session, settings, trace, result, ids)
    marks = looked.marks or ("tokens" if shading and shading.status == "done" else "names")
    terms = [(claim.said, "target")] + ([(result.contrast.text, "subject")] if result.contrast else [])
    drawing = Drawing(
        texts=texts_of(session, rankings, ids),
        names=terms,
        marks=marks,
        tokens=tokens,
        most=shading.most if shading else 0.0,
        changes={step.passage_id: (each.probability, step.change) for each in trained for step in each.steps},
        ranks={
            name: {hit.passage_id: hit.rank for hit in ranking.proponents}
            for name, ranking in result.rankings.items()
        },
    )
    columns = [column(name, title, ranking, drawing, result) for name, title, ranking in rankings]
    page: dict[str, Any] = {"proponents": [], "opponents": []}
    if single:
        own = columns[0]
        page = {"proponents": own.proponents, "opponents": own.opponents, "standing": own.standing}
        if not own.opponents:
            page["opponents"] = _unasked_opponents(ids[1], drawing, view, evidence)
        cards = [*page["proponents"], *page["opponents"]]
        give_reasons(cards, evidence, view, {}, wrong=False)
        page["parts"] = answer_parts(
            split, explained(trace.request, result).completion, page["proponents"], page["opponents"]
        )
        page |= chance_fields(own.standing.chance)
    made = views(trace, result, view, looked.since)
    return page | {
        "claim": claim,
        "correct": claim.right,
        "evidence": evidence,
        "samples": samples_of(result.samples),
        "methods": [Link(label=one.title, url=one.url, chosen=one.current, note=_note(one)) for one in made],
        "views": _mark_links(trace, looked, view, marks) if single and shading else [],
        "view": view,
        "span_url": urls.trace(trace.id, "span"),
        "filling": is_filling(session, settings, reader, of_trace(trace.id), taken, shading),
        **_shared(trace, result.method, claim, evidence, columns),
        "found_by": ", ".join(each.title for each in columns),
        "cite_url": urls.trace(trace.id, "cite"),
        "csv_url": urls.twin(urls.trace(trace.id, view=looked.view), "csv"),
        "answer": Answer(
            completion=result.completion,
            target=span_of(trace.request, result),
            generated=result.generated,
            contrast=result.contrast,
            joined=result.joined,
            views=made,
            columns=columns,
            stretches=_stretches(result),
            stretch_spans=[Span(start=m.start, end=m.end, kind="verbatim") for m in result.verbatim],
            provenance=result.provenance,
            to_measure=to_measure(result, trained),
            method=result.method,
            stages=result.stages,
        ),
    }


def _unasked_opponents(ids: Sequence[int], drawing: Drawing, view: str, evidence: Evidence) -> list[Card]:
    """The passages against that only steps were taken on: they have no score, so the control says what is chance."""
    cards = [card_of(id_, rank, None, drawing, view) for rank, id_ in enumerate(ids, 1)]
    control = [dot.after for lane in evidence.lanes if lane.name == RANDOM for dot in lane.dots]
    for card in cards:
        card.above_chance = card.after < min(control) if control and card.after is not None else None
    return cards


def _shared(
    trace: Trace, method: str, claim: Claim, evidence: Evidence, columns: Sequence[Column]
) -> dict[str, Any]:
    """What sites show of a link to the trace."""
    first = next((card.text for each in columns for card in each.proponents), "")
    return {
        "og_title": og_title(claim.prompt + claim.lead, claim.said),
        "og_text": og_text(method_label(method), first, evidence),
        "og_image": urls.card(urls.trace(trace.id)),
        "og_url": urls.trace(trace.id),
        "embeds": bool(evidence.lanes),
    }


def _parameters(session: Session, model: str) -> int | None:
    return session.scalar(select(Model.parameters).where(Model.name == model))


def _rankings(result: TraceResult, view: str) -> list[tuple[str, str, Ranking]]:
    """Name, title and ranking of each column of a view."""
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


def _shown_ids(
    ranking: Ranking | None, taken: StepsOf | None, *, decides: bool
) -> tuple[list[int], list[int]]:
    """The passages for and against; where nobody asked for those against, the ones that steps were taken on."""
    if ranking is None:
        return [], []
    against = [hit.passage_id for hit in ranking.opponents]
    if not against and taken and decides:
        against = [dot.passage_id for dot in taken.lanes.get(AGAINST, []) if dot.after is not None]
    return [hit.passage_id for hit in ranking.proponents], against


def _evidence(
    result: TraceResult,
    claim: Claim,
    trained: Sequence[TrainingResult],
    taken: StepsOf | None,
    ids: tuple[list[int], list[int]],
) -> Evidence:
    """The steps taken without being asked, else those that somebody asked for."""
    places = {
        (lane, id_): f"#{letter}{rank}"
        for (lane, letter), shown in zip(((FOR, "p"), (AGAINST, "o")), ids, strict=True)
        for rank, id_ in enumerate(shown, 1)
    }
    if taken and after_steps(taken):
        methods = {FOR: result.method, WORDS: BM25, AGAINST: result.method}
        return of_taken(claim.said, taken, methods, places)
    return evidence_of_trace(result, claim.said, trained, {id_: url for (_, id_), url in places.items()})


def _shading(
    session: Session,
    settings: Settings,
    trace: Trace,
    result: TraceResult,
    ids: tuple[list[int], list[int]],
) -> tuple[ShadingView | None, dict[int, list[ShadedToken]], ShadingResult | None]:
    asked = shading_of_trace(settings, trace, result, ids)
    if asked is None:
        return None, {}, None
    return token_influence(session, settings, asked, "")


def shading_of_trace(
    settings: Settings, trace: Trace, result: TraceResult, ids: tuple[list[int], list[int]]
) -> Shading | None:
    """The shading of the passages shown; None where the index is gone."""
    index = str(trace.request.get("index") or result.provenance.index)
    if not (settings.indexes / index / "manifest.json").is_file():
        return None
    contrast = result.contrast.text if result.contrast else None
    return shading_of(explained(trace.request, result), contrast, index, ids)


def shading_of_page(
    settings: Settings, trace: Trace, proponents: Sequence[Card], opponents: Sequence[Card]
) -> Shading | None:
    """The shading that a page with these passages waits for."""
    result = TraceResult.model_validate(trace.result)
    ids = ([card.passage_id for card in proponents], [card.passage_id for card in opponents])
    return shading_of_trace(settings, trace, result, ids)


def _stretches(result: TraceResult) -> list[LinkedSpan]:
    return [
        LinkedSpan(
            start=match.start,
            end=match.end,
            text=result.joined[match.start : match.end],
            passages=match.passages,
            links=[urls.passage(id_) for id_ in match.passage_ids],
        )
        for match in result.verbatim
    ]


def _note(view: View) -> str:
    """How many of the passages shown first another method found: `3/10`."""
    return f"{view.shared}/{view.of}" if view.shared is not None else ""


def _mark_links(trace: Trace, looked: Looked, view: str, marks: str) -> list[Link]:
    return [
        Link(
            label=label,
            url=urls.trace(trace.id, view=view if looked.view else None, since=looked.since, marks=name),
            chosen=name == marks,
        )
        for name, label in MARKS.items()
    ]
