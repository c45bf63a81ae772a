"""How numbers and names are said on pages: Jinja filters, pure functions."""

from collections.abc import Callable
from datetime import datetime
from math import exp
from typing import Any

from app.words.chat_text import spoken
from app.words.cutting import cut
from app.words.glossary import measure_term
from app.words.joining import follow
from app.words.methods import method_label, method_of
from app.words.tasks import task_name
from app.words.wikidata import PROPERTIES

OPTIMIZERS = {"adafactor": "Adafactor", "adamw": "AdamW", "sgd": "SGD"}
TIMES = {1: "once", 2: "twice"}
_DIRECTIONS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
LEAST = 0.01  # per cent: a smaller probability is only said to be smaller


def relation_name(relation: str | None) -> str:
    """`place_of_birth` and Wikidata's `P19` -> `place of birth`."""
    return PROPERTIES.get(relation or "", relation or "").replace("_", " ")


def optimizer_name(optimizer: str) -> str:
    """As its authors write it: `adamw` -> `AdamW`."""
    return OPTIMIZERS.get(optimizer, optimizer)


def undirected(name: str) -> str:
    """A name without what changes the direction of the words after it in a sentence (UAX #9, explicit formatting)."""
    return name.translate(_DIRECTIONS)


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


_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def score(value: float | None) -> str:
    """A score in the unit of its method: `0.412`, `107.8k`, `−2.346M`, `3.3·10⁻⁵`. Documents and exports have it whole."""
    size = abs(value or 0.0)
    if value is None or size == 0 or 0.0005 <= size < 1000:
        return number(value, 3)
    if size < 1:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits}·{power_of_ten(int(power))}".replace("-", "−")
    unit, letter = next(each for each in UNITS if size >= each[0])
    return f"{value / unit:.4g}{letter}".replace("-", "−")


def power_of_ten(power: int) -> str:
    """`10⁻⁸`."""
    return f"10{str(power).translate(_POWERS)}"


def from_log(log: float) -> str:
    """The probability whose natural logarithm this is: `0.4 %`."""
    return percentage(exp(min(0.0, log)))


def signed(value: float | None, digits: int = 1) -> str:
    """A difference: `+3.1`, `−0.1`."""
    return "–" if value is None else f"{value:+,.{digits}f}".replace("-", "−")


def points(change: float | None) -> str:
    """Percentage points: `+3.1`, `−0.04`, `+0.002`; only no change at all is `+0.0`."""
    if change is None or change == 0 or abs(change) >= 0.05:
        return signed(change)
    return signed(change, 2 if abs(change) >= 0.005 else 3)


def step_words(before: float, after: float) -> str:
    """What one training step did to a probability: `60 → 76 %`, `0.2 → 0.9 %`; no more digits than tell them apart."""
    pair = (100 * before, 100 * after)
    low, high = sorted(pair)
    if 0 < high < LEAST:
        return f"below {LEAST} %"
    for digits in (0, 1) if low >= 1 else (0, 1, 2):
        a, b = (_with_digits(each, digits, low) for each in pair)
        if a != b and (low == 0 or low >= 0.5 * 10**-digits):
            return f"{a} → {b} %"
    a, b = (_with_digits(each, 0 if low >= 1 or high == 0 else 2, low) for each in pair)
    return f"{a} → {b} %"


def _with_digits(value: float, digits: int, low: float) -> str:
    """The value; beside one below 1 (`low`), a large one needs no digits."""
    if digits == 2 and 0 < value < LEAST:
        return f"<{LEAST}"
    return f"{value:.{0 if low < 1 and value >= 10 else digits}f}"


def percentage(probability: float) -> str:
    """`60 %`, `0.4 %`, `0.03 %`, `less than 0.01 %`; `100 %` and `0 %` are what is certain."""
    value = 100 * probability
    if 0 < value < LEAST:
        return f"less than {LEAST} %"
    if 99.5 <= value < 100:
        return "over 99.9 %" if value >= 99.95 else f"{value:.1f} %"
    digits = 0 if value >= 9.95 or value == 0 else 1 if value >= 0.0995 else 2
    return f"{value:.{digits}f} %"


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
    """Among how many of the two half-searches (see the glossary) a passage comes first."""
    return f"found by {('neither half-search', 'one half-search', 'both half-searches')[min(halves, 2)]}"


def joint(target: str, prompt: str) -> str:
    """What stands between a prompt and its target: a space, a line break, or nothing."""
    after = follow(prompt, target)
    return after[: len(after) - len(after.lstrip())]


FILTERS: dict[str, Callable[..., Any]] = {
    "method_label": method_label,
    "method_class": lambda name: method_of(name).css,
    "task_name": task_name,
    "relation_name": relation_name,
    "optimizer_name": optimizer_name,
    "times": times,
    "plural": plural,
    "number": number,
    "signed": signed,
    "score": score,
    "from_log": from_log,
    "points": points,
    "step_words": step_words,
    "percentage": percentage,
    "in_words": in_words,
    "millions": millions,
    "counted": counted,
    "day": day,
    "measure_term": measure_term,
    "recurrence": recurrence,
    "cut": cut,
    "joint": joint,
    "spoken": spoken,
    "following": lambda target, prompt: follow(prompt, target),
}
