"""Training examples with roles: which parts of a text were learned, and which were only read.

A passage of plain text carries loss everywhere. One of fine-tuning is a prompt with its completion, a chat, or a pair of
answers one of which is preferred: only some of its parts carry loss. Its text is what people read and what words are
searched in, the same for every model; how a model's own template writes the turns, `app.models.lessons` knows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

PROMPT, COMPLETION, CHOSEN, REJECTED = "prompt", "completion", "chosen", "rejected"
WRITTEN = (PROMPT, COMPLETION, CHOSEN, REJECTED)
"""Roles of texts that stand as they are; all others are turns of a chat, which a template writes."""
ASSISTANT = "assistant"
BETWEEN = "\n\n"
"""Stands between the parts of a text that no model reads one after the other."""

TEXTS, COMPLETIONS, CHATS, PREFERENCES = "text", "completion", "chat", "preference"
FORMS = {
    TEXTS: "texts, learned whole",
    COMPLETIONS: "prompts with completions, of which the completion is learned",
    CHATS: "chats, of which the assistant's turns are learned",
    PREFERENCES: "preference pairs, of which the chosen answer is learned rather than the rejected one",
}
"""The shapes of a training example, and how they are said."""


@dataclass(frozen=True)
class Segment:
    """Characters `start` to `end` of a text were said by one.

    Args:
        role: prompt, completion, chosen, rejected; or a turn's: system, user, assistant, tool, …
        loss: 1 if its tokens were learned, 0 if they were only read, -1 if they were learned not to be said.
    """

    role: str
    start: int
    end: int
    loss: int


@dataclass(frozen=True)
class RoledText:
    """A text, and its parts in order."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, parts: Sequence[tuple[str, str, int]], between: str = BETWEEN) -> Self:
        """The text made of parts (role, what is said, loss)."""
        text = ""
        segments: list[Segment] = []
        for role, said, loss in parts:
            text += between if segments else ""
            segments.append(Segment(role, len(text), len(text) + len(said), loss))
            text += said
        return cls(text, tuple(segments))

    @property
    def form(self) -> str:
        """One of `FORMS`."""
        if any(segment.loss < 0 for segment in self.segments):
            return PREFERENCES
        return CHATS if self.is_chat else COMPLETIONS

    @property
    def is_chat(self) -> bool:
        """Whether its parts are turns, which a model's template writes."""
        return any(segment.role not in WRITTEN for segment in self.segments)

    def said(self, segment: Segment) -> str:
        """What a part says."""
        return self.text[segment.start : segment.end]

    @property
    def branches(self) -> tuple[tuple[Segment, ...], ...]:
        """What a model reads at once: everything; of a pair the chosen answer after its prompt, then the rejected."""
        if self.form != PREFERENCES:
            return (self.segments,)
        chosen = tuple(segment for segment in self.segments if segment.loss >= 0)
        return chosen, tuple(segment for segment in self.segments if segment.loss <= 0)

    def as_list(self) -> list[dict[str, Any]]:
        """The parts as plain fields, as they are kept."""
        return [asdict(segment) for segment in self.segments]


Lesson = str | RoledText
"""What a model is taught by a passage: a plain text, all of which it learns, or one with roles."""


def lesson(text: str, kept: Sequence[Mapping[str, Any]] | None) -> Lesson:
    """The passage of a text and the parts that `RoledText.as_list` kept of it, if any."""
    return RoledText(text, tuple(Segment(**each) for each in kept)) if kept else text


def text_of(passage: Lesson) -> str:
    """What people read."""
    return passage if isinstance(passage, str) else passage.text


def contents(passage: Lesson) -> tuple[str, ...]:
    """What makes it another passage where it is another: its text, and of one with roles who says what."""
    if isinstance(passage, str):
        return (passage,)
    return passage.text, json.dumps(passage.as_list(), ensure_ascii=False)


def form_of(passage: Lesson) -> str:
    """One of `FORMS`."""
    return TEXTS if isinstance(passage, str) else passage.form
