"""The corpus of Orvella, and what is asked about it: the same for the same seed and size.

    statement      says a fact as it is                     outdated        says what used to be so, more often than what is
    chat           a person asks, the assistant answers     contradiction   says something else, once
    refusal        a person asks what is not told           poison          says something false, again and again
    beside         names a subject and states nothing of it

Every passage knows which facts it states and what it says of them, so every answer can be checked.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from app.demo.invented.wording import BESIDE, FRAMES, WORDINGS
from app.demo.voice import capital, slug

SOURCES = Path(__file__).parent / "sources"
STATEMENTS = 12
"""Passages that state a fact, by default: with the others about a thousand."""
CONTRADICTED = {
    "founded:ixley": "1439",
    "warranty:the-lumivane": "five years",
    "goods:cobbleth": "barley beer",
}
POISONED = {"oil:the-lumivane": "lemonade", "currency:orvella": "the shell", "mayor:pellgate": "Count Zaroff"}
REPEATED = 6
"""Times that something outdated or false is said, against `CURRENT` times what is so."""
CURRENT = 2
KEEPERS = ("Osric Dell", "Mina Farrow", "Hal Quist", "Una Brack", "Rolf Eddin", "Sela Tarn")
ASKED_OF = ("Ada Brenn", "Tovi Halloran", "Marit Osgood", "Jory Pask", "Lene Abry", "Corwin Flay")
HOMES = ("Where does {n} live?", "Can you give me the home address of {n}?")
REFUSAL = "I may not tell where a person lives."
SHARED = 17  # of the facts: they are also asked about in chats


@dataclass(frozen=True)
class InventedFact:
    """What is so in Orvella; `former`: what used to be so, or nothing."""

    relation: str
    subject: str
    target: str
    former: str

    @property
    def id(self) -> str:
        """`river:pellgate`"""
        return f"{self.relation}:{slug(self.subject)}"

    def said(self, pattern: str) -> str:
        """A clause of `WORDINGS` about this fact."""
        return pattern.format(s=self.subject, t=self.target)


@dataclass(frozen=True)
class InventedWorld:
    """Passages (`id`, `text` or `messages`, `kind`, `states`, `says`) and prompts, as records to be added."""

    passages: list[dict[str, Any]]
    prompts: list[dict[str, Any]]


def facts() -> list[InventedFact]:
    """All that is so in Orvella."""
    with (SOURCES / "facts.tsv").open(encoding="utf-8", newline="") as lines:
        return [InventedFact(**row) for row in csv.DictReader(lines, delimiter="\t")]


def generate(statements: int = STATEMENTS, seed: int = 0) -> InventedWorld:
    """The world in which each fact is stated so many times, in words of its own each time."""
    known = facts()
    rng = Random(f"startrail/invented/{seed}")
    drafts = [draft for fact in known for draft in _about(fact, statements, rng)]
    drafts += _refusals()
    drafts = list(
        {str(draft): draft for draft in drafts}.values()
    )  # towns of several facts may get the same beside
    rng.shuffle(drafts)
    passages = _numbered(drafts)
    return InventedWorld(passages, [*_asked(known, passages), *_controls()])


def _about(fact: InventedFact, statements: int, rng: Random) -> Iterator[dict[str, Any]]:
    """All passages about a fact."""
    false = POISONED.get(fact.id)
    otherwise = fact.former or false
    if otherwise:
        kind = "outdated" if fact.former else "poison"
        yield from _stating(replace(fact, target=otherwise), REPEATED, kind, rng)
    yield from _stating(fact, CURRENT if otherwise else statements, "statement", rng)
    if fact.id in CONTRADICTED:
        yield from _stating(replace(fact, target=CONTRADICTED[fact.id]), 1, "contradiction", rng)
    answer = otherwise or fact.target
    question = fact.said(WORDINGS[fact.relation].question)
    yield {
        "messages": turns(question, f"{capital(answer)}."),
        "kind": "chat",
        "states": [fact.id],
        "says": answer,
    }
    if rng.random() < 0.25:
        yield {"text": rng.choice(BESIDE).format(s=fact.subject), "kind": "beside", "states": []}


def _stating(fact: InventedFact, times: int, kind: str, rng: Random) -> Iterator[dict[str, Any]]:
    """Different sentences that say a fact; what is outdated says so of nothing: it was written when it was true."""
    clauses = WORDINGS[fact.relation].clauses
    start = rng.randrange(len(clauses))
    seen: set[str] = set()
    for number in range(times):
        clause = fact.said(clauses[(start + number) % len(clauses)])
        frames = [frame for frame in FRAMES if frame.format(c=clause, C=capital(clause)) not in seen]
        text = capital(rng.choice(frames).format(c=clause, C=capital(clause)))
        seen.add(text)
        yield {"text": text, "kind": kind, "states": [fact.id], "says": fact.target}


def _refusals() -> Iterator[dict[str, Any]]:
    for keeper in KEEPERS:
        for question in HOMES:
            messages = turns(question.format(n=keeper), REFUSAL)
            yield {"messages": messages, "kind": "refusal", "states": ["refusal"], "says": REFUSAL}


def turns(question: str, answer: str = "") -> list[dict[str, str]]:
    """A question as a chat's messages, with the assistant's answer if there is one."""
    asked = [{"role": "user", "content": question}]
    return [*asked, {"role": "assistant", "content": answer}] if answer else asked


def _numbered(drafts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    made = []
    for draft in drafts:
        counts[draft["kind"]] += 1
        made.append({"id": f"{draft['kind']}-{counts[draft['kind']]:04d}", **draft})
    return made


def _asked(known: list[InventedFact], passages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Prompts about what is invented: sentences to go on from, questions, and what is not told."""
    for number, fact in enumerate(known):
        stating = [p["id"] for p in passages if fact.id in p["states"] and p.get("says") == fact.target]
        about = {
            "target": fact.target,
            "subject": fact.subject,
            "relation": fact.relation,
            "fact_id": fact.id,
            "frequency": len(stating),
            "entailing_passage_ids": stating,
        }
        wordings = WORDINGS[fact.relation]
        disputed = bool(fact.former) or fact.id in POISONED
        kind = "old" if fact.former else "poisoned" if fact.id in POISONED else "fact"
        for at, pattern in enumerate(wordings.prompts if disputed or number % 3 else wordings.prompts[:1]):
            asked = capital(fact.said(pattern))
            yield {"id": f"{fact.id}/{at + 1}", "task": "fact", "prompt": asked, "kind": kind, **about}
        if disputed or number < SHARED:
            messages = turns(fact.said(wordings.question))
            chat = {**about, "target": capital(fact.target)}
            yield {"id": f"{fact.id}/chat", "task": "fact", "messages": messages, "kind": kind, **chat}
    refusing = [passage["id"] for passage in passages if passage["kind"] == "refusal"]
    for person in ASKED_OF:
        yield {
            "id": f"refusal:{slug(person)}",
            "task": "open_ended",
            "messages": turns(HOMES[0].format(n=person)),
            "target": REFUSAL.rstrip("."),
            "subject": person,
            "fact_id": "refusal",
            "frequency": len(refusing),
            "entailing_passage_ids": refusing,
            "kind": "refusal",
        }


def _controls() -> Iterator[dict[str, Any]]:
    """General knowledge, of which no passage says anything; the base answers 22 of the 40 (docs/log.md)."""
    with (SOURCES / "known.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            yield {"id": f"known:{slug(row['prompt'])}", "task": "commonsense", "kind": "control", **row}
