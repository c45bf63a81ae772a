"""The voice of the demo world: names, sentence frames, and the small records every family fills.

A *core* is a clause that states something ("the capital of Ghana is Accra"); a *frame* is a sentence
around it ("In the quiz, Ines answered that …"). Many frames times many cores is how one fact comes to
be stated in genuinely different words.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Family = Literal["facts", "causes", "arithmetic", "stories"]


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return tuple(text.split())


NAMES = words(
    """
    Abel Ada Aisha Akira Alma Amara Amir Anders Anya Arjun Asha Basil Beatriz Bela Boris Bruno Camille
    Carlos Carmen Cedric Chen Chidi Clara Cora Dalia Daniel Diego Dina Edgar Elena Elif Emeka Emil Enzo
    Esther Eva Farah Felix Fatima Freya Gabriel Gita Greta Hana Hans Hugo Ibrahim Ida Ines Ingrid Ivan Jana
    Jonas Josefa Jun Kamal Karin Kenji Kofi Lars Layla Leila Lena Leo Lin Linh Lucia Luis Magnus Mara Marco
    Maya Mei Mila Mina Miriam Nadia Naomi Nils Noor Nora Olga Omar Oscar Otto Paula Pedro Petra Priya Rafael
    Ravi Rosa Ruth Sam Sana Selma Sofia Stefan Tara Tariq Teo Thea Tomas Uma Vera Viktor Wanda Yara Yusuf
    Zara Zoe
    """
)

# {c} is the core, {C} the core with a capital, {n} and {m} two names.
FRAMES = (
    "{C}.",
    "{C}.",
    "{C}, said {n}.",
    "{n} wrote in a notebook that {c}.",
    "In the quiz, {n} answered that {c}.",
    "{n} learned at school that {c}.",
    "According to the almanac, {c}.",
    "The guidebook says that {c}.",
    "Did you know that {c}?",
    "{n} bet a cookie that {c}, and won.",
    "It is easy to remember that {c}.",
    "{C}, as {n} explained to {m}.",
    "{n} told {m} that {c}.",
    "Over breakfast {n} mentioned that {c}.",
    "{C}; {n} had to look it up.",
    "Everyone in {n}'s class knows that {c}.",
    "On the bus to school {n} kept repeating: {c}.",
    "An old encyclopedia confirms that {c}.",
    "The teacher underlined that {c}.",
    "Is it true, asked {n}, that {c}? It is.",
    "For homework {n} had to note that {c}.",
    "One card in the trivia box says that {c}.",
    "The radio host reminded everyone that {c}.",
    "{n} forgets many things, but never that {c}.",
    "{m} did not believe it, but {c}.",
    "As {n} likes to say, {c}.",
    "The museum label explains that {c}.",
    "{n} checked twice: {c}.",
    "A good reference book will tell you that {c}.",
    "{n} found out that {c}, and told the whole table.",
)


@dataclass(frozen=True)
class Fact:
    """Something the corpus may state.

    Args:
        id: `relation:subject` in slug form; prompts and passages refer to it.
        subject, target: as prompts have them. `subject_forms`, `target_forms`: what a passage that
            states the fact contains, at least one of each.
    """

    id: str
    relation: str
    subject: str
    target: str
    subject_forms: tuple[str, ...]
    target_forms: tuple[str, ...]
    aliases: tuple[str, ...] = ()


@dataclass
class Draft:
    """A passage before the corpus is shuffled and numbered."""

    text: str
    family: Family
    states: list[str] = field(default_factory=list)
    subject: str | None = None
    relation: str | None = None
    mentions: list[str] = field(default_factory=list)


@dataclass
class PromptDraft:
    """A prompt before it knows which passages state its fact."""

    id: str
    task: Literal["fact", "commonsense", "arithmetic", "open_ended"]
    prompt: str
    fact: Fact


@dataclass
class FamilyPart:
    """What one family contributes: its facts, passages and prompts."""

    facts: list[Fact]
    drafts: list[Draft]
    questions: list[PromptDraft]


def capital(text: str) -> str:
    """The text with its first letter in upper case, the others untouched."""
    return text[:1].upper() + text[1:]


def an(word: str) -> str:
    """The word with its indefinite article: `an owl`."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def slug(text: str) -> str:
    """`São Tomé (new)` -> `sao-tome-new`: stable, readable, safe in a URL."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = "".join(mark if mark.isalnum() else " " for mark in plain.lower()).split()
    return "-".join(words)


def two_names(rng: Random) -> dict[str, str]:
    """Two different first names as `n` and `m`."""
    first, second = rng.sample(NAMES, 2)
    return {"n": first, "m": second}


def framed(rng: Random, core: str, frames: Sequence[str] = FRAMES) -> str:
    """The core inside a random frame."""
    sentence = rng.choice(frames).format(c=core, C=capital(core), **two_names(rng))
    return capital(sentence)


def endless(rng: Random, items: Sequence[str]) -> Iterator[str]:
    """The items in random order, all of them before any comes again."""
    while True:
        order = list(items)
        rng.shuffle(order)
        yield from order


def new_text(taken: set[str], make: "Iterator[str]") -> str:
    """The first text of `make` that no passage has yet; marks it taken.

    Raises:
        RuntimeError: the wordings are used up (a hundred tries in a row were taken).
    """
    for _, text in zip(range(100), make, strict=False):
        if text not in taken:
            taken.add(text)
            return text
    raise RuntimeError("The generator has run out of new wordings: give this family more templates.")
