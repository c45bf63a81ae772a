"""What a retrieved passage has to do with a fact (paper §7, Table 4, in our words).

    states     states the fact
    both       names subject and target, without stating it
    relation   states the same relation of another subject
    target     names the target only
    subject    names the subject only
    name       has a part of a name, such as one word of two
    none       none of these

On a corpus that knows what its passages state (ground-truth links, `meta.states`) the first and third are exact;
elsewhere a passage that names subject and target counts as both, and a relation is recognised by the words the
prompts of that relation share. `exact` says which.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = ("states", "both", "relation", "target", "subject", "name", "none")
_WORD = re.compile(r"\w+")
SHORT = 3  # letters: a shorter word alone is no part of a name


@dataclass(frozen=True)
class FactOf:
    """What a prompt asks about. `cue` are the words that its relation's prompts share."""

    subject: str | None
    targets: tuple[str, ...]
    relation: str | None
    fact_id: str | None
    cue: tuple[str, ...] = ()


def classify(fact: FactOf, text: str, meta: dict[str, Any], stated: bool | None) -> str:
    """The type of one passage for one fact.

    Args:
        meta: the passage's; `states` lists fact ids as `relation:subject` where the corpus knows them.
        stated: whether ground truth links the passage to the prompt; None where there is none.
    """
    if stated or (fact.fact_id is not None and fact.fact_id in meta.get("states", ())):
        return "states"
    folded = text.casefold()
    subject = fact.subject is not None and has_phrase(folded, fact.subject)
    target = any(has_phrase(folded, each) for each in fact.targets)
    if subject and target:
        return "both"
    if _same_relation(fact, folded, meta):
        return "relation"
    if target:
        return "target"
    if subject:
        return "subject"
    names = [fact.subject or "", *fact.targets]
    return "name" if _part_of_a_name(folded, names) else "none"


def is_exact(meta: dict[str, Any]) -> bool:
    """Whether the corpus itself knows what this passage states."""
    return "states" in meta


def has_phrase(folded: str, phrase: str) -> bool:
    """Whether a case-folded text contains the phrase as whole words."""
    wanted = phrase.strip().casefold()
    start = folded.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        if not folded[start - 1 : start].isalnum() and not folded[end : end + 1].isalnum():
            return True
        start = folded.find(wanted, start + 1)
    return False


def shared_cue(prompts: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """The words that most prompts of a relation share once their subjects are taken out.

    Args:
        prompts: text and subject of each.
    """
    counts: dict[str, int] = {}
    total = 0
    for text, subject in prompts:
        total += 1
        rest = text.casefold().replace((subject or "\0").casefold(), " ")
        for word in set(_WORD.findall(rest)):
            if len(word) > SHORT:
                counts[word] = counts.get(word, 0) + 1
    return tuple(sorted(word for word, count in counts.items() if total and count >= 0.5 * total))


def _same_relation(fact: FactOf, folded: str, meta: dict[str, Any]) -> bool:
    if is_exact(meta):
        return any(each.split(":")[0] == fact.relation for each in meta["states"])
    return bool(fact.cue) and all(has_phrase(folded, word) for word in fact.cue)


def _part_of_a_name(folded: str, names: Iterable[str]) -> bool:
    for name in names:
        words = [word for word in _WORD.findall(name.casefold()) if len(word) > SHORT]
        if any(word in folded for word in words):
            return True
    return False
