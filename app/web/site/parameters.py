"""What the parameters in an address are, and one of each: for people and programs that read the OpenAPI document."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from app.words.methods import BM25, TRACKSTAR
from app.words.slices import EVALUATED, SLICES
from app.words.tasks import LISTED

# A parameter in a path, by the word before it.
_NAMED: dict[str, tuple[str, str | int]] = {
    "runs": ("name of a run, as in its address", "trackstar"),
    "prompts": ("name of a prompt, as in its address", "currency-ghana"),
    "compare": ("name of a prompt in the first of the runs", "currency-ghana"),
    "passages": ("number of a passage", 1),
    "traces": ("id of a trace", "4t9w2k7m3x6b"),
    "batches": ("id of a batch", "4t9w2k7m3x6b"),
    "upload": ("id of an upload", "4t9w2k7m3x6b"),
    "models": ("name of a model", "demo"),
    "corpora": ("name of a corpus", "demo"),
    "without": ("id of a training", "4t9w2k7m3x6b"),
    "finds": ("a kind of find", "words-mislead"),
}
# What means the same wherever it stands, where its declaration says nothing.
_COMMON = {
    "after": "where the page before ended, as its `next_url` has it",
    "again": "an equal question was asked before, and this is its answer",
    "against": "name of a run to compare with",
    "bucket": SLICES["frequency"].help,
    "by": "the slices of the charts: " + ", ".join(EVALUATED),
    "completion": "what follows the prompt, with the space it begins with",
    "confidence": SLICES["confidence"].help,
    "contrast": "why the completion rather than this",
    "kind": "instead of a measure: how often the passage at `rank` is of this type",
    "limit": "how many at once, at most 1,000",
    "low": "the lowest values first",
    "measure": "which figure; mrr where neither measure nor kind is named",
    "method": "only runs of this method",
    "model": "only runs of this model; * for those of all",
    "offset": "how many to pass over",
    "page": "number of the page, from 1",
    "prompt": "what the model reads",
    "rank": "place in the list, from 1",
    "relation": SLICES["relation"].help,
    "right": SLICES["right"].help,
    "run": "name of a run, as in its address",
    "set": "name of a prompt set",
    "task": LISTED,
    "view": "name of a method, or all",
}
_EXAMPLES: dict[str, Any] = {
    "q": "Ghana", "where": "correct and confidence >= 0.5", "run": TRACKSTAR, "runs": [TRACKSTAR, BM25],
    "relation": "currency", "method": TRACKSTAR, "url": "http://localhost:8000/runs/trackstar/prompts/currency-ghana",
}  # fmt: skip


def explain(path: str, parameters: Iterable[dict[str, Any]]) -> None:
    """Say what each parameter is that does not say so itself, and give an example."""
    segments = path.split("/")
    before = {each.strip("{}").partition("}")[0]: last for last, each in pairwise(segments)}
    for each in parameters:
        if each["in"] == "path":
            said, example = _NAMED[before[each["name"]]]
            each |= {"description": said, "example": example}
            continue
        each.setdefault("description", _COMMON.get(each["name"], ""))
        if each["name"] in _EXAMPLES:
            several = each["schema"].get("type") != "string" and each["name"] == "run"
            each["example"] = [_EXAMPLES["run"]] if several else _EXAMPLES[each["name"]]
        _commas(each)


def _commas(parameter: dict[str, Any]) -> None:
    """What is one text to us, names between commas, is a list."""
    schema = parameter["schema"]
    if schema.get("type") == "array" and schema.pop("maxLength", None):
        schema.pop("default", None)
        parameter |= {"style": "form", "explode": False}
