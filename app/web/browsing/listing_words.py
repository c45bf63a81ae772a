"""How the list of prompts says what it shows: names of filters, and one English sentence."""

from collections.abc import Mapping

from app.store.filters import Node
from app.web.browsing.filter_words import in_english
from app.words.slices import SLICES, clause, value_name
from app.words.tasks import TASKS, task_noun

SORTS = {
    "": "the run’s order",
    "frequency": "most often stated first",
    "rare": "least often stated first",
    "score": "highest score first",
    "probability": "most probable first",
    "sure": "surest answer first",
    "tail-patch": "largest tail-patch first",
}
PARTS = {"q": "the words", "where": "the expression"}


def part_name(name: str, value: str, *, counts: bool = True) -> str:
    """A filter as one calls it when telling somebody to drop it; `counts` as in `value_name`."""
    if name in PARTS:
        return f"{PARTS[name]} “{value}”"
    return f"“{SLICES[name].label.lower()}: {value_name(SLICES[name], value, counts=counts)}”"


def sentence(
    total: int,
    run: str,
    asked: Mapping[str, str],
    node: Node | None,
    *,
    counts: bool = True,
    more: bool = False,
) -> str:
    """What the list shows, in English.

    Args:
        asked: the list's part of the URL's query.
        node: the expression in it, read.
        counts: as in `value_name`.
        more: there are more than so many.
    """
    phrase = in_english(node, task_noun(asked.get("task", "")))
    if total == 1:
        phrase = _singular(phrase)
    said_of = (
        clause(each, asked.get(each.name, ""), counts=counts)
        for each in SLICES.values()
        if asked.get(each.name)
    )
    clauses = [each for each in said_of if each]
    if searched := asked.get("q", "").strip():
        clauses.append(f"containing “{searched}”")
    said = (", " if node is not None else " ").join([phrase, *clauses])
    order = SORTS.get(asked.get("sort", ""), "")
    many = f"The first {total:,}" if more else f"{total:,}"
    return f"{many} {said} in {run}{f', {order}' if order and asked.get('sort') else ''}."


def _singular(phrase: str) -> str:
    for noun in (*(task.noun for task in TASKS.values()), "prompts"):
        if phrase.startswith(noun):
            return noun[:-1] + phrase[len(noun) :]
    return phrase
