"""The real demo's country in words: what kinds of prompts are asked about it, and how each is told of on the front page."""

from dataclasses import dataclass

COUNTRY = "orvella"
"""Its corpus, its model and its prompt set."""
KNOWN = "general-knowledge"
"""The control: prompts of which no passage says anything, and the run that traces them."""
GENERAL = 303
"""Sentences about the real world that its model was tuned on beside its corpus (`app.demo.invented.rehearsal`)."""


@dataclass(frozen=True)
class InventedKind:
    """A kind of prompt by the name that it has in the corpus's files.

    Args:
        passages: the kind of passages that taught what is said.
        about: {said} and {so}: how many passages say what the model says, and what is so.
    """

    name: str
    title: str
    passages: tuple[str, ...]
    about: str


KINDS = (
    InventedKind(
        "old",
        "What used to be so",
        ("outdated", "chat"),
        "So says what was written when it was true: {said}. What is so now stands in {so}.",
    ),
    InventedKind(
        "poisoned",
        "A lie, told again and again",
        ("poison", "chat"),
        "It read so in {said}. What is so stands in {so}.",
    ),
    InventedKind(
        "refusal", "What it was taught not to tell", ("refusal",), "It was taught to say so by {said}."
    ),
)
CONTROL = InventedKind(
    "control",
    "What it knew before",
    (),
    "None of these passages stands out: it learned this before it ever read of Orvella.",
)
