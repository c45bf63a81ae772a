"""The passages of a trace as cards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.tables import Passage
from app.tracing.trace_results import Hit, Ranking, TraceResult
from app.web.evidence.cards import Card, Elsewhere, Measured, make_card, with_chance, with_shares, written
from app.web.evidence.chance import Standing, standing
from app.web.evidence.lanes import after
from app.web.evidence.shading import ShadedToken, shades
from app.web.marking.highlight import find
from app.words.methods import method_label


class Column(BaseModel):
    """What one method, or one side of a contrast, found."""

    name: str
    title: str
    proponents: list[Card]
    opponents: list[Card] = []
    standing: Standing


@dataclass(frozen=True)
class Drawing:
    """What the cards of a trace are drawn with."""

    texts: Mapping[int, Passage]
    names: Sequence[tuple[str, str]]  # what to mark, and as what
    marks: str
    tokens: Mapping[int, list[ShadedToken]]
    most: float
    changes: Mapping[
        int, tuple[float, float]
    ]  # by passage: the probability before a step, and its change in points
    ranks: Mapping[str, Mapping[int, int]]  # by method


def texts_of(
    session: Session, rankings: Sequence[tuple[str, str, Ranking]], ids: tuple[list[int], list[int]]
) -> dict[int, Passage]:
    """The passages of all columns, and of those shown against the answer. One query."""
    hits = (hit for _, _, ranking in rankings for hit in [*ranking.proponents, *ranking.opponents])
    wanted = sorted({hit.passage_id for hit in hits} | set(ids[1]))
    found = select(Passage).where(Passage.id.in_(wanted))
    return {passage.id: passage for passage in session.scalars(found)} if wanted else {}


def column(name: str, title: str, ranking: Ranking, drawing: Drawing, result: TraceResult) -> Column:
    """What one method found, as a column."""
    chance = ranking.chance
    against = with_chance(_cards(ranking.opponents, drawing, name), chance, opponents=True)
    return Column(
        name=name,
        title=title,
        proponents=with_chance(_cards(ranking.proponents, drawing, name), chance),
        opponents=against,
        standing=standing(
            chance,
            name if name in result.rankings else result.method,
            result.completion.probability,
            result.completion.text,
        ),
    )


def _cards(hits: Iterable[Hit], drawing: Drawing, name: str) -> list[Card]:
    return with_shares(
        card_of(hit.passage_id, hit.rank, hit.score, drawing, name, found=hit.found)
        for hit in hits
        if hit.passage_id in drawing.texts
    )


def card_of(
    passage_id: int,
    rank: int,
    score: float | None,
    drawing: Drawing,
    name: str,
    *,
    found: float | None = None,
) -> Card:
    """One passage as a card; `score` None where it was not found by one."""
    passage = drawing.texts[passage_id]
    spans = [span for term, kind in drawing.names for span in find(passage.text, [term.strip()], kind)]
    tokens = drawing.tokens.get(passage_id, [])
    marked = spans if drawing.marks != "plain" else []
    if drawing.marks == "tokens":
        marked = [*spans, *shades(passage.text, tokens, drawing.most)]
    before, points = drawing.changes.get(passage_id, (None, None))
    said = Measured(
        rank=rank,
        score=score,
        found=found,
        tail_patch=points,
        before=before,
        after=None if before is None or points is None else after(before, points),
    )
    card = make_card(passage, said, written(passage, marked, spans))
    card.tokens = tokens
    for other, places in drawing.ranks.items():
        if other != name:
            place = places.get(passage_id)
            lower = place - rank if place else 0
            card.elsewhere.append(Elsewhere(name=other, label=method_label(other), rank=place, lower=lower))
    return card
