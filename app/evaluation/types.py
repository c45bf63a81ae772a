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

Names are compared as whole words, without regard to case and to Unicode's several spellings of one character;
in scripts that put no spaces between words, anywhere. A target's aliases count as the target.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

SHORT = 3  # letters: a word no longer than this is no part of a name by itself
_WORD = re.compile(r"\w+")
# Thai, Lao, Myanmar, Khmer, kana, Chinese characters, and Korean, whose particles join the word before.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


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
    folded = fold(text)
    subject = fact.subject is not None and has_phrase(folded, fact.subject)
    target = any(has_phrase(folded, each) for each in fact.targets)
    if subject and target:
        return "both"
    if _same_relation(fact, folded, meta, subject):
        return "relation"
    if target:
        return "target"
    if subject:
        return "subject"
    return "name" if any(has_phrase(folded, word) for word in fact.parts) else "none"


def is_exact(meta: dict[str, Any]) -> bool:
    """Whether the corpus itself knows what this passage states."""
    return isinstance(meta.get("states"), list)


@lru_cache(maxsize=50_000)
def fold(text: str) -> str:
    """The text as it is compared: one spelling for each character, no case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def has_phrase(folded: str, phrase: str) -> bool:
    """Whether a folded text contains the phrase as whole words."""
    wanted = fold(phrase).strip()
    start = folded.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        if not _joined(folded[start - 1 : start], wanted[0]) and not _joined(
            wanted[-1], folded[end : end + 1]
        ):
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
        rest = fold(text).replace(fold(subject or "\0"), " ")
        for word in set(_WORD.findall(rest)):
            if len(word) > SHORT:
                counts[word] = counts.get(word, 0) + 1
    return tuple(sorted(word for word, count in counts.items() if count > 0.5 * total))


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring characters are inside one word."""
    return left.isalnum() and right.isalnum() and not _UNSPACED.match(left) and not _UNSPACED.match(right)


def _same_relation(fact: FactOf, folded: str, meta: dict[str, Any], subject: bool) -> bool:
    if is_exact(meta):
        return any(str(each).split(":")[0] == fact.relation for each in meta["states"])
    return not subject and bool(fact.cue) and all(has_phrase(folded, word) for word in fact.cue)
