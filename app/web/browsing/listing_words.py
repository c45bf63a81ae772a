"""How the list of prompts says what it shows: names of facets and their values, and one English sentence."""

from collections.abc import Mapping

from app.store.filters import Node
from app.store.tables import PromptSet
from app.web.browsing.filter_words import TASK_NOUNS, in_english
from app.words import saying as words

LABELS = {
    "task": "Task",
    "relation": "Relation",
    "frequency": "Stated in the corpus",
    "right": "Model’s answer",
    "confidence": "Confidence",
    "stated": "Retrieved passages",
    "ais": "Best AIS score",
}
VALUES = {
    "right": {"yes": "right", "no": "wrong"},
    "confidence": {"high": "at least 0.5", "low": "below 0.5"},
    "stated": {"yes": "one states the answer", "no": "none states the answer"},
    "ais": {"high": "at least 0.5", "low": "below 0.5"},
}
CLAUSES = {
    "right": {"yes": "that the model answers right", "no": "that the model answers wrong"},
    "confidence": {
        "high": "answered with confidence 0.5 or more",
        "low": "answered with confidence below 0.5",
    },
    "stated": {
        "yes": "with a retrieved passage that states the answer",
        "no": "where no retrieved passage states the answer",
    },
    "ais": {"high": "with a best AIS score above 0.5", "low": "with a best AIS score of 0.5 or less"},
}
SORTS = {
    "": "the run’s order",
    "frequency": "most often stated first",
    "rare": "least often stated first",
    "score": "highest score first",
    "probability": "most probable first",
    "tail-patch": "largest tail-patch first",
}
WIDEST = 63  # of a bucket whose range is told: counts that fill eight bytes
PARTS = {"q": "the words", "where": "the expression"}


def label(name: str, value: str, *, counts: bool = True) -> str:
    """A facet's value in words.

    Args:
        counts: whether frequency buckets are our ranges of counts (`counts_of`).
    """
    if name == "task":
        return words.task_name(value)
    if name == "relation":
        return words.relation_name(value)
    if name == "frequency":
        return bucket_name(value) if counts else f"bucket {value}"
    return VALUES[name].get(value, value)


def counts_of(prompt_set: PromptSet) -> bool:
    """Whether the set's frequency buckets are our ranges of counts: those of a results file are drawn elsewhere."""
    return prompt_set.corpus_id is not None


def bucket_name(bucket: str) -> str:
    """The range of counts behind a frequency bucket (see `app.store.prompts.bucket_of`); past that, its number."""
    number = bucket_number(bucket)
    if number > WIDEST:
        return f"bucket {bucket}"
    if number <= 0:
        return "never"
    low, high = 1 << (number - 1), (1 << number) - 1
    return words.times(low) if low == high else f"{low:,} to {high:,} times"


def bucket_number(bucket: str) -> int:
    """The bucket as a number, 0 for what is none."""
    return int(bucket[:20]) if bucket.removeprefix("-").isdecimal() else 0


def part_name(name: str, value: str, *, counts: bool = True) -> str:
    """A filter as one calls it when telling somebody to drop it; `counts` as in `label`."""
    if name in PARTS:
        return f"{PARTS[name]} “{value}”"
    return f"“{LABELS[name].lower()}: {label(name, value, counts=counts)}”"


def sentence(
    total: int, run: str, asked: Mapping[str, str], node: Node | None, *, counts: bool = True
) -> str:
    """What the list shows, in English.

    Args:
        asked: the list's part of the URL's query.
        node: the expression in it, read.
        counts: as in `label`.
    """
    phrase = in_english(node, TASK_NOUNS.get(asked.get("task", ""), "prompts"))
    if total == 1:
        phrase = _singular(phrase)
    clauses = []
    if relation := asked.get("relation"):
        clauses.append(f"about {words.relation_name(relation)}")
    if bucket := asked.get("frequency"):
        clauses.append(f"stated {bucket_name(bucket)}" if counts else f"of frequency bucket {bucket}")
    clauses += [CLAUSES[name][value] for name in CLAUSES if (value := asked.get(name, "")) in CLAUSES[name]]
    if searched := asked.get("q", "").strip():
        clauses.append(f"containing “{searched}”")
    said = (", " if node is not None else " ").join([phrase, *clauses])
    order = SORTS.get(asked.get("sort", ""), "")
    return f"{total:,} {said} in {run}{f', {order}' if order and asked.get('sort') else ''}."


def _singular(phrase: str) -> str:
    for noun in (*TASK_NOUNS.values(), "prompts"):
        if phrase.startswith(noun):
            return noun[:-1] + phrase[len(noun) :]
    return phrase
