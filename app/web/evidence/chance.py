"""What of a list is more than chance, as a page says it: its floor, how many stand out, the bell to draw."""

from pydantic import BaseModel

from app.words.chance import COUNTED_MOST, Chance
from app.words.methods import TRACKSTAR, TWO_STAGES, method_of
from app.words.saying import number, percentage, plural

GUESS = 0.01  # a word of an answer less probable than this was a guess


class Standing(BaseModel):
    """What of one ranking is more than chance.

    `chance` is None where the method's scores do not tell it; `sentence` then says why.
    """

    chance: Chance | None
    sentence: str
    opponents: str
    guess: str


def standing(chance: Chance | None, method: str, probability: float | None, said: str) -> Standing:
    """The ranking's chance floor in words.

    Args:
        probability: of the text `said` that is explained, given the prompt; None where it is not known.
    """
    return Standing(
        chance=chance,
        sentence=_by(method) + _for(chance.above, chance.passages, chance.floor)
        if chance
        else _unknown(method),
        opponents=_against(chance.opponents_beyond, chance.passages, chance.opponent_floor) if chance else "",
        guess=f"The model was guessing ({percentage(probability or 0.0)})."
        if guessed(probability, said)
        else "",
    )


def guessed(probability: float | None, said: str) -> bool:
    """Whether a text of so many words was as good as drawn at random."""
    return probability is not None and probability < GUESS ** max(1, len(said.split()))


def is_beyond(score: float | None, chance: Chance | None, *, opponent: bool = False) -> bool | None:
    """Whether a score is more than chance gives on its side; None where that cannot be told."""
    if chance is None or score is None:
        return None
    return score < chance.opponent_floor if opponent else score > chance.floor


def _by(method: str) -> str:
    """Whose scores these are, where another method decides the order."""
    return f"By {method_of(TRACKSTAR).label}’s own scores: " if method == TWO_STAGES else ""


def _for(count: int | None, passages: int, floor: float) -> str:
    best = f"By chance alone, the best would score about {number(floor, 3)}"
    if not count:
        return f"Nothing stands out. {best}." if count == 0 else ""
    return f"{_of(count, passages)} {'stands' if count == 1 else 'stand'} out. {best}."


def _against(count: int | None, passages: int, floor: float) -> str:
    lowest = f"By chance alone, the lowest would score about {number(floor, 3)}"
    if not count:
        return f"Nothing speaks against it. {lowest}." if count == 0 else ""
    return f"{_of(count, passages)} {'speaks' if count == 1 else 'speak'} against it. {lowest}."


def _of(count: int, passages: int) -> str:
    more = " or more" if count == COUNTED_MOST else ""
    return f"{count:,}{more} of {plural(passages, 'passage')}"


def _unknown(method: str) -> str:
    entry = method_of(method)
    encoding = entry.encoding
    if entry.kind == "words" and not entry.ranks:
        why = f"{entry.label} gives no scores"
    elif entry.kind == "words":
        why = f"{entry.label} adds up the weights of shared words, which says nothing about chance"
    elif entry.kind == "gradient" and encoding is None:
        why = "only the best candidates were scored this way"
    elif encoding is not None and encoding.get("unit_norm", True):
        why = "the scores of the other passages were not kept, or there are too few"
    elif entry.kind == "gradient":
        why = "a passage with a large gradient scores high whatever it says"
    elif entry.kind == "control":
        why = "these passages were not found by a score"
    elif entry.kind == "meaning":
        why = f"{entry.label} compares meanings, and the passages of one corpus are all somewhat alike"
    else:
        why = "the file does not say what all other passages scored"
    return f"How many of these stand out from chance is not known: {why}."
