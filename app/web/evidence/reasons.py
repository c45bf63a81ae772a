"""One line on each passage: what it has to do with the answer, and where a search by words would have put it. Pure."""

from collections.abc import Mapping, Sequence

from app.web.evidence.cards import Card
from app.web.evidence.lanes import WORDS, Evidence
from app.words.methods import method_of
from app.words.saying import in_words


def give_reasons(
    cards: Sequence[Card], evidence: Evidence, method: str, others: Mapping[int, str], *, wrong: bool
) -> None:
    """Fill in the cards' reasons.

    Args:
        method: that found them; those found by words are not told where words put them.
        others: by passage, whose fact of the same relation it states.
        wrong: the model says something else than is right, so that the fact is the truth it missed.
    """
    words = next((lane for lane in evidence.lanes if lane.name == WORDS), None)
    ranks = {dot.passage_id: dot.rank for dot in words.dots} if words else {}
    for card in cards:
        card.reasons = kind_reasons(card, others.get(card.passage_id, ""), wrong=wrong)
        if words and method_of(method).kind != "words":
            card.reasons.append(by_words(ranks.get(card.passage_id), len(ranks)))


def kind_reasons(card: Card, other: str, *, wrong: bool) -> list[str]:
    """`states the fact`, `same relation, other entity: Washington`; empty where nobody knows."""
    if card.correct and wrong:
        return ["states the truth"]
    if card.kind == "relation" and other:
        return [f"same relation, other entity: {other}"]
    label = card.kind_label
    return [label[0].lower() + label[1:]] if label else []


def by_words(rank: int | None, of: int) -> str:
    """`rank 3 by words`, or that it is not among the first."""
    return f"rank {rank} by words" if rank else f"not among the first {in_words(of)} by words"
