"""A retrieved passage as the page shows it: text, spans for the chosen view, type, scores, duplicates folded in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from app.store.examples import Example
from app.store.tables import Retrieved
from app.web.evidence.shading import Token, shades
from app.web.marking.highlight import Span, entities
from app.web.marking.near import leaders
from app.web.marking.verbatim import shared_spans
from app.web.site import urls

LONG = 1_200  # characters from which a passage opens folded
LEAD = 200  # characters kept before the part that matters

KINDS = {
    "states": "States the fact",
    "both": "Subject and target, not the fact",
    "relation": "Same relation, other entity",
    "target": "Target only",
    "subject": "Subject only",
    "name": "Part of a name",
    "none": "Neither entity nor relation",
}


class Duplicate(BaseModel):
    """A passage all but equal to the one it is folded into."""

    passage_id: int
    rank: int
    url: str


class Card(BaseModel):
    """One retrieved passage. Of a long text, `lead` is the part from `open_from` to `open_to` shown first."""

    rank: int
    original_rank: int | None
    score: float | None
    share: float
    passage_id: int
    external_id: str
    url: str
    text: str
    spans: list[Span]
    open_from: int
    open_to: int
    lead: str | None
    lead_spans: list[Span]
    correct: bool | None
    kind: str | None
    kind_label: str | None
    ais_score: float | None
    ais_window: str | None
    tail_patch: float | None
    influences: int
    tokens: list[Token]
    duplicates: list[Duplicate]


@dataclass(frozen=True)
class Shown:
    """What the cards of an example show beside their texts.

    Args:
        view: which spans are marked.
        influences: for each passage, how many prompts of the run it is a proponent of.
        tokens: for the view `tokens`, what each token of a passage carries.
        most: the value of the darkest shade.
    """

    view: str
    influences: Mapping[int, int]
    tokens: Mapping[int, list[Token]] = field(default_factory=dict)
    most: float = 0.0


def make_cards(example: Example, shown: Shown) -> list[Card]:
    """The passages of an example in rank order, near-duplicates folded into the first of their kind."""
    rows = example.retrieved
    top = max((abs(row.score) for row in rows if row.score is not None), default=0.0)
    cards: dict[int, Card] = {}
    for at, (row, leader) in enumerate(zip(rows, leaders([row.passage.text for row in rows]), strict=True)):
        if leader == at:
            cards[at] = _card(row, example, shown, top)
        else:
            duplicate = Duplicate(passage_id=row.passage_id, rank=row.rank, url=urls.passage(row.passage_id))
            cards[leader].duplicates.append(duplicate)
    return list(cards.values())


def _card(row: Retrieved, example: Example, shown: Shown, top: float) -> Card:
    text = row.passage.text
    spans = _spans(text, example, shown, row)
    start, end = _window(text, spans or _entities(text, example, row))
    folded = (start, end) != (0, len(text))
    return Card(
        rank=row.rank,
        original_rank=row.original_rank,
        score=row.score,
        share=abs(row.score) / top if row.score is not None and top else 0.0,
        passage_id=row.passage_id,
        external_id=row.passage.external_id,
        url=urls.passage(row.passage_id),
        text=text,
        spans=spans,
        open_from=start,
        open_to=end,
        lead=text[start:end] if folded else None,
        lead_spans=[
            Span(start=s.start - start, end=s.end - start, kind=s.kind)
            for s in spans
            if folded and start <= s.start and s.end <= end
        ],
        correct=row.correct,
        kind=row.kind,
        kind_label=KINDS.get(row.kind, row.kind) if row.kind else "States the fact" if row.correct else None,
        ais_score=row.ais_score,
        ais_window=row.ais_window,
        tail_patch=row.tail_patch,
        influences=shown.influences.get(row.passage_id, 0),
        tokens=shown.tokens.get(row.passage_id, []),
        duplicates=[],
    )


def _spans(text: str, example: Example, shown: Shown, row: Retrieved) -> list[Span]:
    prompt = example.prompt
    if shown.view == "plain":
        return []
    if shown.view == "tokens":
        return shades(text, shown.tokens.get(row.passage_id, []), shown.most)
    if shown.view == "verbatim":
        return shared_spans(text, f"{prompt.text} {prompt.target}")
    return _entities(text, example, row)


def _entities(text: str, example: Example, row: Retrieved) -> list[Span]:
    prompt = example.prompt
    found = entities(text, prompt.subject, [prompt.target, *prompt.aliases])
    if row.ais_window and (at := text.find(row.ais_window)) >= 0:
        found.append(Span(start=at, end=at + len(row.ais_window), kind="window"))
    return found


def _window(text: str, spans: Sequence[Span]) -> tuple[int, int]:
    """The part of a long text to show first: where the marked words stand closest together."""
    if len(text) <= LONG:
        return 0, len(text)
    best, most = 0, 0
    for span in spans[:500]:
        start = max(0, span.start - LEAD)
        kinds = {s.kind for s in spans if start <= s.start and s.end <= start + LONG}
        if len(kinds) > most:
            best, most = start, len(kinds)
    if best:  # begin at a word
        space = text.find(" ", best, best + 40)
        best = space + 1 if space >= 0 else best
    return best, min(len(text), best + LONG)
