"""A record as a training example: plain text, prompt and completion, a chat, or a pair of answers. One rule for all.

The shapes are those that TRL takes, turns as `{"role", "content"}` or ShareGPT's `{"from", "value"}`. What a passage's
text is and who says which part of it, `app.words.roles` tells.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from app.errors import UserError
from app.interchange.field_names import TEXTS
from app.interchange.fields import FieldLookup
from app.interchange.records import Line
from app.interchange.records.line import kind_of
from app.words import roles
from app.words.roles import (
    ASSISTANT,
    CHATS,
    CHOSEN,
    COMPLETION,
    COMPLETIONS,
    FORMS,
    PREFERENCES,
    PROMPT,
    REJECTED,
    Lesson,
    RoledText,
)
from app.words.roles import TEXTS as PLAIN

TURNS = ("messages", "conversations")
TOLD = {"human": "user", "gpt": ASSISTANT, "bot": ASSISTANT, "model": ASSISTANT}
"""Other names of roles, as ShareGPT and others write them."""
Part = tuple[str, str, int]
"""Role, what is said, loss."""


class ReadLesson(NamedTuple):
    """What a record teaches, and the fields that say so."""

    lesson: Lesson
    fields: tuple[str, ...]


def read_lesson(line: Line, form: str, texts: FieldLookup) -> ReadLesson:
    """What a record teaches.

    Args:
        form: of `FORMS`; empty: as the record's fields say.
        texts: which field a plain text is in.

    Raises:
        UserError: the record has no such shape; line and field are named.
    """
    if form and form not in FORMS:
        raise UserError(
            f"{form!r} is no form of a passage.", field="form", remedy=f"Use one of {', '.join(FORMS)}."
        )
    return _READERS[form or seen_form(line, texts)](line, texts)


def seen_form(line: Line, texts: FieldLookup) -> str:
    """The form that the record's fields show: a text where there is one, else the first that fits."""
    there = {name for name, value in line.record.items() if value is not None}
    if texts.given or there & set(TEXTS):
        return PLAIN
    if {CHOSEN, REJECTED} <= there:
        return PREFERENCES
    if there & set(TURNS):
        return CHATS
    return COMPLETIONS if {PROMPT, COMPLETION} <= there else PLAIN


def _plain(line: Line, texts: FieldLookup) -> ReadLesson:
    name, text = texts.text(line)
    return ReadLesson(text, (name,))


def _chat(line: Line, texts: FieldLookup) -> ReadLesson:
    name = next((each for each in TURNS if line.record.get(each) is not None), TURNS[0])
    turns = _turns(line, name)
    if not any(loss for *_, loss in turns):
        raise line.wrong(
            name, "The assistant says nothing in it.", "Give at least one turn of the assistant."
        )
    return ReadLesson(RoledText.of(turns), (name,))


def _completion(line: Line, texts: FieldLookup) -> ReadLesson:
    prompt, completion = (_said(line, name) for name in (PROMPT, COMPLETION))
    _same_kind(line, PROMPT, prompt, COMPLETION, completion)
    if isinstance(prompt, str) and isinstance(completion, str):
        parts = [(PROMPT, prompt, 0), (COMPLETION, completion, 1)]
        return ReadLesson(RoledText.of(parts, between=""), (PROMPT, COMPLETION))
    parts = [*_read_only(prompt), *completion]
    return ReadLesson(RoledText.of(parts), (PROMPT, COMPLETION))


def _preference(line: Line, texts: FieldLookup) -> ReadLesson:
    chosen, rejected = (_said(line, name) for name in (CHOSEN, REJECTED))
    _same_kind(line, CHOSEN, chosen, REJECTED, rejected)
    given = line.record.get(PROMPT) is not None
    used = (PROMPT, CHOSEN, REJECTED) if given else (CHOSEN, REJECTED)
    prompt = _said(line, PROMPT) if given else None
    if prompt is not None:
        _same_kind(line, PROMPT, prompt, CHOSEN, chosen)
    if isinstance(chosen, str):
        return ReadLesson(_written_pair(line, prompt, chosen, rejected), used)
    return ReadLesson(_turned_pair(line, prompt, chosen, rejected), used)


def _written_pair(line: Line, prompt: Any, chosen: str, rejected: str) -> RoledText:
    if prompt is None:
        at = _common(chosen, rejected)
        prompt, chosen, rejected = chosen[:at], chosen[at:], rejected[at:]
    if chosen == rejected:
        raise _alike(line)
    before = [(PROMPT, prompt, 0)] if prompt else []
    return RoledText.of([*before, (CHOSEN, chosen, 1), (REJECTED, rejected, -1)])


def _turned_pair(line: Line, prompt: Any, chosen: list[Part], rejected: list[Part]) -> RoledText:
    if prompt is None:
        at = next(
            (n for n, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other), 0
        )
        prompt, chosen, rejected = chosen[:at], chosen[at:], rejected[at:]
    if chosen == rejected:
        raise _alike(line)
    for name, answer in ((CHOSEN, chosen), (REJECTED, rejected)):
        if [role for role, *_ in answer] != [ASSISTANT]:
            raise line.wrong(
                name,
                "It is more than one answer of the assistant.",
                "Put what goes before the answers in prompt.",
            )
    return RoledText.of([*_read_only(prompt), *chosen, (ASSISTANT, rejected[0][1], -1)])


def _alike(line: Line) -> UserError:
    return line.wrong(
        REJECTED, "It is the same as what was chosen.", "Leave the record out: it teaches nothing."
    )


def _common(one: str, other: str) -> int:
    """Where two texts part, at the border of a word."""
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return max(one.rfind(" ", 0, at), one.rfind("\n", 0, at) + 1, 0)


def _read_only(parts: Sequence[Part]) -> list[Part]:
    return [(role, said, 0) for role, said, _ in parts]


def _said(line: Line, name: str) -> Any:
    """A text, or turns (`_turns`)."""
    value = line.record.get(name)
    if isinstance(value, str):
        return value
    if value is None:
        raise line.wrong(name, "There is none.", f"Give {name} as a text, or as turns.")
    return _turns(line, name)


def _same_kind(line: Line, name: str, one: Any, other: str, value: Any) -> None:
    if isinstance(one, str) != isinstance(value, str):
        raise line.wrong(other, f"It is not of the kind of {name}.", "Give both as texts, or both as turns.")


def _turns(line: Line, name: str) -> list[Part]:
    turns = line.record.get(name)
    if not isinstance(turns, list) or not turns:
        raise line.wrong(
            name,
            f"It is {kind_of(turns)}, not a list of turns.",
            'Write [{"role": "user", "content": "…"}, …].',
        )
    return [_turn(turn, lambda problem, remedy: line.wrong(name, problem, remedy)) for turn in turns]


def _turn(turn: Any, wrong: Callable[[str, str], UserError]) -> Part:
    told = turn if isinstance(turn, dict) else {}
    role, said = told.get("role", told.get("from")), told.get("content", told.get("value"))
    if isinstance(said, list) and all(isinstance(each, dict) and each.get("type") == "text" for each in said):
        said = "".join(str(each.get("text", "")) for each in said)
    if not isinstance(role, str) or not role:
        raise wrong("A turn does not say whose it is.", 'Give every turn a "role" and a "content".')
    role = TOLD.get(role, role)
    if role in roles.WRITTEN:
        raise wrong(f"{role!r} is no role in a chat.", "Use system, user, assistant or tool.")
    if told.get("tool_calls"):
        raise wrong("A turn calls a tool, which is not read.", "Write the call into the turn's content.")
    if not isinstance(said, str):
        raise wrong(
            f"A turn's content is {kind_of(said)}, not text.", "Give texts only; pictures are not read."
        )
    return role, said, int(role == ASSISTANT)


_READERS: dict[str, Callable[[Line, FieldLookup], ReadLesson]] = {
    PLAIN: _plain,
    COMPLETIONS: _completion,
    CHATS: _chat,
    PREFERENCES: _preference,
}
