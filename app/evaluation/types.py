"""What a retrieved passage has to do with a fact (after the paper's §7, in our words).

    states     states the fact
    both       names subject and target, without stating it
    relation   states the same relation of another subject
    target     names the target only
    subject    names the subject only
    name       has a part of a name, such as one word of two
    none       none of these

The first that holds is the type. Two sets of rules decide the first and the third; `is_exact` says which was used:

- **Exact**, where the corpus knows what its passages state (`meta.states`, a list of `relation:subject`): a passage
  states the fact if it says so, and the relation is the one of a fact it states.
- **By words** elsewhere: a passage states the fact if ground truth or the file says so; it is of the same relation if
  it does not name the subject and has all the words that the prompts of this relation share.

Names stand where `app.words.names` finds them. A target's aliases count as the target.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.words.names import fold, has_name

SHORT = 3  # letters: a word no longer than this is no part of a name by itself
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class FactOf:
    """What a prompt asks about. `cue` are the words that its relation's prompts share."""

    subject: str | None
    targets: tuple[str, ...]
    relation: str | None
    fact_id: str | None
    cue: tuple[str, ...] = ()

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The words of its names that are long enough to tell something, where a name has several."""
        names = [_WORD.findall(fold(name)) for name in (self.subject or "", *self.targets)]
        return tuple(
            dict.fromkeys(word for words in names if len(words) > 1 for word in words if len(word) > SHORT)
        )


def classify(fact: FactOf, text: str, meta: dict[str, Any], stated: bool | None) -> str:
    """The type of one passage for one fact.

    Args:
        meta: the passage's own, as it came with the corpus.
        stated: whether ground truth links the passage to the prompt; None where there is none.
    """
    if stated or (is_exact(meta) and fact.fact_id is not None and fact.fact_id in meta["states"]):
        return "states"
    subject = fact.subject is not None and has_name(text, fact.subject)
    target = any(has_name(text, each) for each in fact.targets)
    if subject and target:
        return "both"
    if _same_relation(fact, text, meta, subject):
        return "relation"
    if target:
        return "target"
    if subject:
        return "subject"
    return "name" if any(has_name(text, word) for word in fact.parts) else "none"


def is_exact(meta: dict[str, Any]) -> bool:
    """Whether the corpus itself knows what this passage states."""
    return isinstance(meta.get("states"), list)


def shared_cue(prompts: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """The words that most prompts of a relation share once their subjects are taken out.

    Args:
        prompts: text and subject of each.
    """
    counts: dict[str, int] = {}
    total = 0
    for text, subject in prompts:
        total += 1
        rest = fold(text).replace(fold(subject or "\0"), " ")
        for word in set(_WORD.findall(rest)):
            if len(word) > SHORT:
                counts[word] = counts.get(word, 0) + 1
    return tuple(sorted(word for word, count in counts.items() if count > 0.5 * total))


def _same_relation(fact: FactOf, text: str, meta: dict[str, Any], subject: bool) -> bool:
    if is_exact(meta):
        return any(str(each).split(":")[0] == fact.relation for each in meta["states"])
    return not subject and bool(fact.cue) and all(has_name(text, word) for word in fact.cue)
