"""A chat in the words of a model's template, read as people read it: who says what, without the template's signs.

A prompt that is a chat is kept as the model reads it, for that is what is traced. Pages show its turns. The signs of the
templates that models have most are known here; a text with any other, or with something between the turns, is shown as it is.
"""

import re
from typing import NamedTuple

from app.words.roles import ASSISTANT


class ChatTurn(NamedTuple):
    """Characters `start` to `end` of a text are what `role` says in it."""

    role: str
    start: int
    end: int


# How a turn begins, with its role, and how it ends; the last may be open, for there the model answers.
_TEMPLATES = tuple(
    (re.compile(begins), re.compile(ends))
    for begins, ends in (
        (r"<\|im_start\|>([\w-]{1,20})\n", r"<\|im_end\|>\n?"),  # ChatML: SmolLM2, Qwen, OLMo
        (r"<\|start_header_id\|>([\w-]{1,20})<\|end_header_id\|>\n\n", r"<\|eot_id\|>"),  # Llama 3
        (r"<start_of_turn>([\w-]{1,20})\n", r"<end_of_turn>\n?"),  # Gemma
        (
            r"<\|(system|user|assistant|tool)\|>\n?",
            r"(?:<\|end\|>|<\|endoftext\|>|</s>)?\n?(?=<\||\Z)",
        ),  # Phi
    )
)
_STARTS = ("<s>", "<bos>", "<|begin_of_text|>")
_TYPED = re.compile(r"\s*(system|user|assistant|tool):\s?", re.IGNORECASE)
_ANSWERS = {"model": ASSISTANT}  # Gemma's word for it


def chat_turns(text: str) -> tuple[ChatTurn, ...]:
    """The turns of a chat in a template's words; none where it is none."""
    start = next((len(sign) for sign in _STARTS if text.startswith(sign)), 0)
    for begins, ends in _TEMPLATES:
        at = start
        found: list[ChatTurn] = []
        while at < len(text) and (opened := begins.match(text, at)):
            closed = ends.search(text, opened.end())
            end = closed.start() if closed else len(text)
            if begins.search(text, opened.end(), end):
                break  # a turn that was not ended before the next began
            found.append(ChatTurn(_ANSWERS.get(opened[1], opened[1]), opened.end(), end))
            at = closed.end() if closed else len(text)
        if found and at >= len(text):
            return tuple(found)
    return ()


def turns_written(text: str) -> list[tuple[str, str]]:
    """What somebody typed as a chat: role and words of each turn. A line that begins with `system:`, `user:`, `assistant:` or
    `tool:` begins a turn; what stands before the first is a user's.
    """
    turns: list[tuple[str, str]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if begun := _TYPED.match(line):
            turns.append((begun[1].lower(), line[begun.end() :]))
        elif turns:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}\n{line}")
        elif line.strip():
            turns.append(("user", line))
    return [(role, said.strip()) for role, said in turns]


def spoken(text: str) -> str:
    """A chat on one line: what its last user says, with what the assistant has begun to answer; other text as it is."""
    turns = chat_turns(text)
    asked = [text[turn.start : turn.end].strip() for turn in turns if turn.role not in (ASSISTANT, "system")]
    if not asked:
        return text
    last = turns[-1]
    begun = text[last.start : last.end].strip() if last.role == ASSISTANT else ""
    return f"{asked[-1]} {begun}".strip()


def read_on(prompt: str, completion: str) -> str:
    """A prompt and what follows it, on one line where the prompt is a chat."""
    asked = spoken(prompt)
    return f"{prompt}{completion}" if asked == prompt else f"{asked} {completion.strip()}".strip()
