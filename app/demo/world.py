"""The embedded world: about 18,000 short passages and 1,000 prompts, the same for the same seed.

Four families (facts, causes, arithmetic, stories) are written by the modules of those names. This one
shuffles and numbers the passages and ties every prompt to the passages that state its fact.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from app.demo.arithmetic import arithmetic_part
from app.demo.causes import causes_part
from app.demo.endings import endings
from app.demo.facts import facts_part
from app.demo.stories import stories_part
from app.demo.voice import Draft, Fact, FamilyPart, PromptDraft

FAMILIES: dict[str, Callable[[Random, set[str]], FamilyPart]] = {
    "facts": facts_part,
    "causes": causes_part,
    "arithmetic": arithmetic_part,
    "stories": stories_part,
}
PREFIXES = {"facts": "fact", "causes": "cause", "arithmetic": "sum", "stories": "story"}


@dataclass(frozen=True)
class World:
    """A generated corpus and the prompts about it.

    Args:
        passages: `{"id", "text", "family", "states"}` and, where they apply, `subject`, `relation`,
            `mentions`; `states` lists the ids of the facts that the passage states.
        prompts: `{"id", "task", "prompt", "target", "aliases", "subject", "relation", "fact_id",
            "frequency", "entailing_passage_ids"}`; `frequency` counts the passages that state the fact.
        endings: prompts that choose between two endings (`app.demo.endings`), a set of their own.
        facts: every fact the corpus may state, by id.
    """

    passages: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    endings: list[dict[str, Any]]
    facts: dict[str, Fact]


def generate(seed: int = 0) -> World:
    """The world of a seed: byte for byte the same on every machine."""
    taken: set[str] = set()
    facts: dict[str, Fact] = {}
    drafts: list[Draft] = []
    questions: list[PromptDraft] = []
    for family, write in FAMILIES.items():
        # A generator of its own per family: a change in one leaves the others as they are.
        part = write(Random(f"startrail/{family}/{seed}"), taken)
        facts |= {fact.id: fact for fact in part.facts}
        drafts += part.drafts
        questions += part.questions
    Random(f"startrail/order/{seed}").shuffle(drafts)
    passages = _number(drafts)
    stating: dict[str, list[str]] = {identifier: [] for identifier in facts}
    for passage in passages:
        for identifier in passage["states"]:
            stating[identifier].append(passage["id"])
    return World(
        passages, [_prompt(question, stating) for question in questions], endings(stating, seed), facts
    )


def _number(drafts: list[Draft]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    passages = []
    for draft in drafts:
        passage: dict[str, Any] = {
            "id": f"{PREFIXES[draft.family]}-{counts[draft.family]:06d}",
            "text": draft.text,
            "family": draft.family,
            "states": draft.states,
        }
        if draft.subject:
            passage |= {"subject": draft.subject, "relation": draft.relation}
        if draft.mentions:
            passage["mentions"] = draft.mentions
        counts[draft.family] += 1
        passages.append(passage)
    return passages


def _prompt(question: PromptDraft, stating: dict[str, list[str]]) -> dict[str, Any]:
    fact = question.fact
    return {
        "id": question.id,
        "task": question.task,
        "prompt": question.prompt,
        "target": fact.target,
        "aliases": list(fact.aliases),
        "subject": fact.subject,
        "relation": fact.relation,
        "fact_id": fact.id,
        "frequency": len(stating[fact.id]),
        "entailing_passage_ids": stating[fact.id],
    }
