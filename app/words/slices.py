"""The ways of parting prompts: facets of a list, and of those some that evaluations give figures for.

A new one is an entry here and its SQL in `app.store.slicing`, a parameter of `app.web.browsing.list_query`, and, to be
evaluated, its value in `app.evaluation.judged`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.words.saying import relation_name, times
from app.words.tasks import LISTED, task_name

WIDEST = 63  # of a frequency bucket whose range is told: counts that fill eight bytes


@dataclass(frozen=True)
class Slice:
    """One way of parting prompts.

    Args:
        name: of the facet, as addresses have it.
        label: heading of its values.
        help: what its parameter means, and which values there are.
        by: its name in evaluations and their addresses; empty where there are no figures by it.
        way: what follows “by” in a title.
        before: the word before a value, where one is named alone (“answered right”).
        values: value -> how it is called; empty where values come from the prompts.
        clauses: value -> what the sentence above a list says of its prompts.
    """

    name: str
    label: str
    help: str
    by: str = ""
    way: str = ""
    before: str = ""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    clauses: Mapping[str, str] = field(default_factory=dict, hash=False)


_SLICES = (
    Slice("task", "Task", LISTED),
    Slice(
        "relation",
        "Relation",
        "what the fact says of its subject, as the corpus calls it",
        by="relation",
        way="relation",
        before="relation",
    ),
    Slice(
        "frequency",
        "Stated in the corpus",
        "bucket: 0 never stated, 1 once, 2 two or three times, 3 four to seven, …",
        by="bucket",
        way="frequency in the corpus",
        before="stated",
    ),
    Slice(
        "right",
        "Model’s answer",
        "whether the model answers right: yes or no",
        by="right",
        way="the model’s answer",
        before="answered",
        values={"yes": "right", "no": "wrong"},
        clauses={"yes": "that the model answers right", "no": "that the model answers wrong"},
    ),
    Slice(
        "confidence",
        "Confidence",
        "high (0.5 or more) or low",
        by="confidence",
        way="the model’s confidence",
        before="confidence",
        values={"high": "at least 0.5", "low": "below 0.5"},
        clauses={
            "high": "answered with confidence 0.5 or more",
            "low": "answered with confidence below 0.5",
        },
    ),
    Slice(
        "stated",
        "Retrieved passages",
        "whether a retrieved passage states the answer: yes or no",
        values={"yes": "one states the answer", "no": "none states the answer"},
        clauses={
            "yes": "with a retrieved passage that states the answer",
            "no": "where no retrieved passage states the answer",
        },
    ),
    Slice(
        "ais",
        "Best AIS score",
        "best AIS score: high (above 0.5) or low",
        values={"high": "above 0.5", "low": "0.5 or less"},
        clauses={"high": "with a best AIS score above 0.5", "low": "with a best AIS score of 0.5 or less"},
    ),
)
SLICES: dict[str, Slice] = {each.name: each for each in _SLICES}
EVALUATED: dict[str, Slice] = {each.by: each for each in _SLICES if each.by}  # by the name in evaluations
FREQUENCY = SLICES["frequency"]


def value_name(of: Slice, value: str, *, counts: bool = True) -> str:
    """A value in words.

    Args:
        counts: whether frequency buckets are our ranges of counts (`app.store.prompts.buckets_are_counts`).
    """
    if of.name == "task":
        return task_name(value)
    if of.name == "relation":
        return relation_name(value)
    if of == FREQUENCY:
        return bucket_name(value) if counts else f"bucket {value}"
    return of.values.get(value, value)


def clause(of: Slice, value: str, *, counts: bool = True) -> str:
    """What the sentence above a list says of prompts with this value; empty for a task, which is their noun, and for
    a value that there is not. `counts` as in `value_name`."""
    if of.name == "relation":
        return f"about {relation_name(value)}"
    if of == FREQUENCY:
        return f"stated {bucket_name(value)}" if counts else f"of frequency bucket {value}"
    return of.clauses.get(value, "")


def bucket_name(bucket: str) -> str:
    """The range of counts behind a frequency bucket (`app.store.prompts.bucket_of`); past that, its number."""
    number = bucket_number(bucket)
    if number > WIDEST:
        return f"bucket {bucket}"
    if number <= 0:
        return "never"
    low, high = _range(number)
    return times(low) if low == high else f"{low:,} to {high:,} times"


def bucket_range(bucket: str) -> str:
    """The same as an axis has room for: `0`, `1`, `2–3`, `4–7`."""
    number = bucket_number(bucket)
    if number > WIDEST:
        return bucket_name(bucket)
    low, high = _range(number)
    return f"{low:,}" if low >= high else f"{low:,}–{high:,}"


def bucket_number(bucket: str) -> int:
    """The bucket as a number, 0 for what is none."""
    return int(bucket[:20]) if bucket.removeprefix("-").isdecimal() else 0


def _range(number: int) -> tuple[int, int]:
    return ((1 << number) >> 1, (1 << number) - 1) if number > 0 else (0, 0)
