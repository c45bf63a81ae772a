"""The causes family: everyday causes and effects (`sources/causes.tsv`), each told in many ways."""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random

from app.demo.voice import Draft, Fact, FamilyPart, PromptDraft, capital, endless, new_text, two_names

CAUSES_FILE = Path(__file__).parent / "sources" / "causes.tsv"
TOLD = range(16, 27)
ASKED = 120
MENTIONS = 300

# {cause} is what somebody did, {subject} {effect} what came of it.
CAUSE_FIRST = (
    "Because {n} {cause}, {subject} {effect}.",
    "Because {n} {cause}, {subject} {effect}, and {m} came to look.",
    "{n} {cause}, so {subject} {effect}.",
    "{n} {cause}, and so {subject} {effect}.",
    "As {n} {cause}, {subject} {effect}.",
    "{n} {cause}. Soon {subject} {effect}.",
    "{n} {cause}, and before long {subject} {effect}.",
    "When {n} {cause}, {subject} {effect}.",
    "After {n} {cause}, {subject} {effect}, just as {m} had said.",
    "Since {n} {cause}, nobody was surprised that {subject} {effect}.",
    "One morning {n} {cause}. It did not take long, and {subject} {effect}.",
    "{m} saw it all: {n} {cause}, and {subject} {effect}.",
)
EFFECT_FIRST = (
    "{Subject} {effect} because {n} {cause}.",
    "{Subject} {effect}, for {n} {cause}.",
    '"Why?" asked {m} when {subject} {effect}. Because {n} {cause}.',
    "It was no wonder that {subject} {effect}: {n} {cause}.",
)
MENTIONED = (
    "{n} drew a picture of {subject} for {m}.",
    "{n} wrote a short poem about {subject}.",
    "{m} asked {n} about {subject}, but there was no time to talk.",
    "In the photograph {subject} can be seen behind {n}.",
    "{n} laughed and said that {subject} would be fine.",
)


def causes_part(rng: Random, taken: set[str]) -> FamilyPart:
    """Every cause and effect, its tellings, passages that only mention it, and the prompts."""
    part = FamilyPart([], [], [])
    with CAUSES_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    asked = set(rng.sample(range(len(rows)), ASKED))
    for place, row in enumerate(rows):
        fact = Fact(
            id=f"cause:{row['slug']}",
            relation="cause",
            subject=row["subject"],
            target=row["effect"],
            subject_forms=(row["cause"], row["cause_again"]),
            target_forms=(row["effect"], row["effect_again"]),
            aliases=(row["effect_again"],),
        )
        part.facts.append(fact)
        tellings = _tellings(rng, row)
        for _ in range(rng.choice(TOLD)):
            text = new_text(taken, tellings)
            part.drafts.append(Draft(text, "causes", [fact.id], fact.subject, "cause", [fact.subject]))
        if place in asked:
            lead = "Because {n} {cause}, {subject}" if rng.random() < 0.6 else "{n} {cause}, so {subject}"
            part.questions.append(
                PromptDraft(f"cause-{row['slug']}", "commonsense", lead.format(**row, **two_names(rng)), fact)
            )
    for _ in range(MENTIONS):
        row = rng.choice(rows)
        text = new_text(taken, _mentions(rng, row["subject"]))
        part.drafts.append(Draft(text, "causes", mentions=[row["subject"]]))
    return part


def _tellings(rng: Random, row: dict[str, str]) -> Iterator[str]:
    cause_first, effect_first = endless(rng, CAUSE_FIRST), endless(rng, EFFECT_FIRST)
    for kind in endless(rng, "cccce"):
        template = next(cause_first if kind == "c" else effect_first)
        yield capital(
            template.format(
                cause=row["cause"] if rng.random() < 0.6 else row["cause_again"],
                effect=row["effect"] if rng.random() < 0.75 else row["effect_again"],
                subject=row["subject"],
                Subject=capital(row["subject"]),
                **two_names(rng),
            )
        )


def _mentions(rng: Random, subject: str) -> Iterator[str]:
    while True:
        yield capital(rng.choice(MENTIONED).format(subject=subject, **two_names(rng)))
