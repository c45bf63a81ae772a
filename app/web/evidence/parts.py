"""Which part of an answer each passage speaks for: the influence on the whole, split over its sentences and numbers."""

from collections.abc import Sequence

from pydantic import BaseModel

from app.tracing.trace_results import ShadingResult
from app.web.evidence.cards import Card
from app.web.evidence.shading import shade_of

COLUMNS = 10  # passages side by side


class PartValue(BaseModel):
    """What one passage carries of one part: `value` of its score, and the shade it is drawn in, if any."""

    value: float
    shade: str


class AnswerPart(BaseModel):
    """Characters `start` to `end` of the completion, and what each passage carries of them."""

    text: str
    start: int
    end: int
    values: list[PartValue]


class PartPassage(BaseModel):
    """A passage of the table; `score` is the sum of its column."""

    passage_id: int
    rank: int
    anchor: str
    score: float


class AnswerParts(BaseModel):
    """A row for each part of the answer, a column for each passage."""

    parts: list[AnswerPart]
    passages: list[PartPassage]


def answer_parts(
    shading: ShadingResult | None, completion: str, proponents: Sequence[Card], opponents: Sequence[Card]
) -> AnswerParts | None:
    """The table of the first passages of a page; None where the answer has one part only, or nobody has split it."""
    if shading is None or len(shading.parts) < 2:
        return None
    split = {each.passage_id: each for each in shading.passages if each.parts}
    cards = [("p", card) for card in proponents] + [("o", card) for card in opponents]
    shown = [(letter, card) for letter, card in cards if card.passage_id in split][:COLUMNS]
    if not shown:
        return None
    columns = [split[card.passage_id] for _, card in shown]
    most = max(abs(value) for each in columns for value in each.parts)
    return AnswerParts(
        parts=[
            AnswerPart(
                text=completion[start:end],
                start=start,
                end=end,
                values=[
                    PartValue(value=each.parts[row], shade=shade_of(each.parts[row], most))
                    for each in columns
                ],
            )
            for row, (start, end) in enumerate(shading.parts)
        ],
        passages=[
            PartPassage(
                passage_id=card.passage_id, rank=card.rank, anchor=f"#{letter}{card.rank}", score=each.score
            )
            for (letter, card), each in zip(shown, columns, strict=True)
        ],
    )
