"""What one training step on each of some passages did to an answer's probability, in lanes. Pure; no store, no page."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from pydantic import BaseModel

from app.web.site.links import PageUrl
from app.words.methods import method_label
from app.words.saying import in_words, plural, points

FOR, WORDS, RANDOM, AGAINST = "for", "words", "random", "against"
LABELS = {
    FOR: "Traced: point the same way",
    WORDS: "Share most words",
    RANDOM: method_label(RANDOM),
    AGAINST: "Traced: point the other way",
}


class Dot(BaseModel):
    """A passage, where one real step on it leaves the answer's probability (0..1), and where to read it."""

    passage_id: int
    after: float
    rank: int | None = None
    url: PageUrl = ""


class Note(BaseModel):
    """A passage of a lane that is named in the plot: the beginning of its text, and its place in words."""

    passage_id: int
    text: str
    place: str


class Lane(BaseModel):
    """One group of passages, in the order of its ranking; `method` gives it its colour, `source` says whose it is."""

    name: str
    label: str
    dots: list[Dot]
    source: str = ""
    method: str = ""
    note: Note | None = None


class Evidence(BaseModel):
    """What was measured for one `answer`. `before` is its probability before any step; None where nobody knows it."""

    answer: str
    before: float | None
    verdict: str
    lanes: list[Lane]
    settings: dict[str, Any]


def after(before: float, change: float) -> float:
    """The probability that a change in percentage points leaves, which rounding can lead a hair beyond 0 or 1."""
    return min(1.0, max(0.0, before + change / 100))


def lane(name: str, dots: Iterable[Dot], *, source: str = "", method: str = "", label: str = "") -> Lane:
    """A lane with its usual label; that of the control says how many passages it is."""
    listed = list(dots)
    drawn = f"{in_words(len(listed))} random passage{'' if len(listed) == 1 else 's'}"
    usual = drawn.capitalize() if name == RANDOM and listed else LABELS[name]
    return Lane(name=name, label=label or usual, dots=listed, source=source, method=method)


def changes(before: float, dots: Sequence[Dot]) -> list[float]:
    """Percentage points of each dot."""
    return [100 * (dot.after - before) for dot in dots]


def mean_change(before: float, shown: Lane) -> float | None:
    """Percentage points on average; None for an empty lane."""
    return fmean(changes(before, shown.dots)) if shown.dots else None


def under_label(before: float, shown: Lane) -> str:
    """`TrackStar’s first 10: +12.3 points on average`."""
    mean = mean_change(before, shown)
    if mean is None:
        return f"{shown.source}: not measured" if shown.source else "not measured"
    average = " on average" if len(shown.dots) > 1 else ""
    said = f"{points(mean)} points{average}"
    return f"{shown.source}: {said}" if shown.source else f"{plural(len(shown.dots), 'passage')}: {said}"


def source_of(name: str, method: str, count: int) -> str:
    """Whose passages a lane's are: `TrackStar’s first ten`, `TrackStar’s last ten`, `the control`."""
    if name == RANDOM or not method:
        return "the control"
    place = "last" if name == AGAINST else "first"
    whose = f"{method_label(method)}’s {place}"
    return whose if count == 1 else f"{whose} {in_words(count)}"
