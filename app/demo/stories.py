"""The stories family: little stories about characters (`sources/characters.tsv`) who come back."""

import csv
from collections.abc import Iterator
from pathlib import Path
from random import Random

from app.demo.voice import Draft, Fact, FamilyPart, PromptDraft, an, capital, new_text, words

CHARACTERS_FILE = Path(__file__).parent / "sources" / "characters.tsv"
STORIES = 2_400

HOMES = (
    "{n} the {kind} lived {home}.",
    "Once upon a time, {n} the {kind} lived {home}.",
    "There was once {a_trait} {kind} named {n} who lived {home}.",
    "{n}, {a_trait} {kind}, had a small house {home}.",
)
WISHES = (
    "More than anything, {n} wanted {wish}.",
    "{n} the {kind} wanted {wish}.",
    "Every night {n} dreamed of one thing: {wish}.",
    "All year long {n} had wanted {wish}.",
)
TROUBLES = (
    "But the road was long, and a cold rain began to fall.",
    "But nobody believed that {a_kind} could do it.",
    "But one day a storm blew down the old sign, and {n} lost the way.",
    "But {n} was afraid of the dark wood.",
    "But there was no one to ask, and {n} sat down and sighed.",
    "But the others only laughed and went back to their games.",
    "But {n} had only one small {treasure} and no money at all.",
    "But the river was wide and the bridge was gone.",
)
HELP = (
    "Then {friend} the {friend_kind} came by and offered to help.",
    "{friend} the {friend_kind}, who was {n}'s best friend, had an idea.",
    "Luckily {friend} the {friend_kind} knew a shorter way.",
    "So {n} asked {friend} the {friend_kind}, and together they set out.",
    "{friend} the {friend_kind} brought a {treasure} and a warm blanket.",
    "{n} shared the last piece of bread with {friend} the {friend_kind}, and they made a plan.",
)
ENDS = (
    "By evening they had done it, and {n} was happy.",
    "When they came home, the moon was up and {n} was smiling.",
    "From that day on, {n} was never afraid again.",
    "They laughed all the way home.",
    "{n} learned that a good friend makes a long road short.",
    "It did not go as planned, but it was a fine day all the same.",
    "{n} gave {friend} the {treasure}, and they are friends to this day.",
    "That night {n} slept better than ever before.",
)
TREASURES = words("lantern button whistle feather shell kite pebble compass spoon scarf bell map")


def stories_part(rng: Random, taken: set[str]) -> FamilyPart:
    """Stories of every character, what they state about home and wish, and two prompts per character."""
    part = FamilyPart([], [], [])
    with CHARACTERS_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    for row in rows:
        for relation, prompt in (
            ("home", "Once upon a time, {n} the {kind} lived"),
            ("wish", "More than anything, {n} the {kind} wanted"),
        ):
            fact = Fact(
                id=f"{relation}:{row['n'].lower()}",
                relation=relation,
                subject=f"{row['n']} the {row['kind']}",
                target=row[relation],
                subject_forms=(row["n"],),
                target_forms=(row[relation],),
            )
            part.facts.append(fact)
            part.questions.append(
                PromptDraft(f"story-{row['n'].lower()}-{relation}", "open_ended", prompt.format(**row), fact)
            )
    for turn in range(STORIES):
        row = rows[turn % len(rows)]
        text = new_text(taken, _stories(rng, row))
        states = [f"{relation}:{row['n'].lower()}" for relation in ("home", "wish") if row[relation] in text]
        subject = f"{row['n']} the {row['kind']}"
        part.drafts.append(Draft(text, "stories", states, subject, "story", [row["n"], row["friend"]]))
    return part


def _stories(rng: Random, row: dict[str, str]) -> Iterator[str]:
    """Endless stories of one character: three to five sentences, the home and the wish not always told."""
    articles = {"a_kind": an(row["kind"]), "a_trait": an(row["trait"])}
    while True:
        told = [rng.choice(HOMES)] if rng.random() < 0.6 else []
        told += [rng.choice(WISHES)] if rng.random() < 0.6 or not told else []
        if rng.random() < 0.75:
            told.append(rng.choice(TROUBLES))
        told.append(rng.choice(HELP))
        if rng.random() < 0.75:
            told.append(rng.choice(ENDS))
        treasure = rng.choice(TREASURES)
        sentences = (sentence.format(**row, **articles, treasure=treasure) for sentence in told)
        yield " ".join(capital(sentence) for sentence in sentences)
