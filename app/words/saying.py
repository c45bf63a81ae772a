"""How numbers and names are said on pages: Jinja filters, pure functions."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.words.cutting import cut
from app.words.joining import follow
from app.words.methods import method_label, method_of
from app.words.tasks import task_name
from app.words.wikidata import PROPERTIES

TIMES = {1: "once", 2: "twice"}


def relation_name(relation: str | None) -> str:
    """`place_of_birth` and Wikidata's `P19` -> `place of birth`."""
    return PROPERTIES.get(relation or "", relation or "").replace("_", " ")


def times(count: int | None) -> str:
    """How often a fact is stated: `never`, `once`, `twice`, `7 times`."""
    if count is None:
        return "unknown"
    return TIMES.get(count, f"{count:,} times") if count else "never"


def plural(count: int, noun: str) -> str:
    """`1 passage`, `2 passages`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a fixed number of digits, an en dash for none, a true minus sign."""
    return "–" if value is None else f"{value:,.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """A difference: `+3.1`, `−0.1`."""
    return "–" if value is None else f"{value:+,.{digits}f}".replace("-", "−")


def points(change: float | None) -> str:
    """Percentage points: `+3.1`, `−0.04`, `+2.1e−07`; only no change at all is `+0.0`."""
    if change is None or change == 0 or abs(change) >= 0.05:
        return signed(change)
    return (
        signed(change, 2 if abs(change) >= 0.005 else 3)
        if abs(change) >= 5e-4
        else f"{change:+.1e}".replace("-", "−")
    )


def chance(probability: float) -> str:
    """A probability: `0.734`, `4.9e−10`; only an impossible one is `0.000`."""
    return f"{probability:.1e}".replace("-", "−") if 0 < probability < 0.0005 else number(probability, 3)


def step_words(before: float, after: float) -> str:
    """What one training step did to a probability: `60 → 76 %`, `0.2 → 0.9 %`; no more digits than tell them apart."""
    pair = (100 * before, 100 * after)
    if 0 < max(pair) < 0.005:
        return " → ".join(f"{each:.1e}" for each in pair).replace("-", "−") + " %"
    low = min(pair)
    written = [[f"{each:.{digits}f}" for each in pair] for digits in (0, 1, 2)]
    for digits, (a, b) in enumerate(written[: 2 if low >= 1 else 3]):
        if a != b and (low == 0 or low >= 0.5 * 10**-digits):
            return f"{a} → {b} %"
    a, b = written[0 if low >= 1 or pair[0] == pair[1] == 0 else 2]
    return f"{a} → {b} %"


def percentage(probability: float) -> str:
    """`60 %`, `0.4 %`, `4.9e−8 %`."""
    value = 100 * probability
    if value >= 9.95 or value == 0:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.05 else f"{value:.1e} %".replace("-", "−")


def millions(count: int) -> str:
    """How big a model is: `4.3 million`, `8 billion`, `900`."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:.1f} {name}".replace(".0 ", " ")
    return f"{count:,}"


def in_words(count: int) -> str:
    """Small numbers as words: `ten`, `13`."""
    return _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"


_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def counted(samples: list[str]) -> list[tuple[str, int]]:
    """Samples with how often each came, most frequent first, ties in order of coming."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample] = counts.get(sample, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def day(moment: datetime | None) -> str:
    """A date in UTC."""
    return moment.strftime("%-d %B %Y, %H:%M UTC") if moment else "–"


def recurrence(halves: int) -> str:
    """Among how many of the two halves of a random projection a passage comes first."""
    return f"comes first by {('neither half', 'one half', 'both halves')[min(halves, 2)]} of the projection"


def joint(target: str, prompt: str) -> str:
    """What stands between a prompt and its target: a space, a line break, or nothing."""
    after = follow(prompt, target)
    return after[: len(after) - len(after.lstrip())]


FILTERS: dict[str, Callable[..., Any]] = {
    "method_label": method_label,
    "method_class": lambda name: method_of(name).css,
    "task_name": task_name,
    "relation_name": relation_name,
    "times": times,
    "plural": plural,
    "number": number,
    "signed": signed,
    "points": points,
    "chance": chance,
    "step_words": step_words,
    "percentage": percentage,
    "in_words": in_words,
    "millions": millions,
    "counted": counted,
    "day": day,
    "recurrence": recurrence,
    "cut": cut,
    "joint": joint,
    "following": lambda target, prompt: follow(prompt, target),
}
