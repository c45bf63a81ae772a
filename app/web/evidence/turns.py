"""A passage with roles as it is shown: who says which part, and which parts were learned."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.web.marking.highlight import Span
from app.web.marking.window import within
from app.words.chat_text import chat_turns
from app.words.roles import CHOSEN, REJECTED, WRITTEN


class Turn(BaseModel):
    """Characters `start` to `end` of a passage, said in a role.

    `loss`: 1 where the model learned to say it, 0 where it only read it, -1 where it learned not to say it. `label`: the role
    for people. `text` and `spans`: what of it is shown, and its marks, as characters of `text`.
    """

    role: str
    label: str
    start: int
    end: int
    loss: int
    text: str
    spans: list[Span] = []


def turns_of(
    text: str, roles: Sequence[Mapping[str, Any]] | None, spans: Sequence[Span], shown: tuple[int, int]
) -> list[Turn]:
    """The parts of a passage that lie in the stretch `shown` of its text; none where it has no roles.

    Args:
        roles: as `app.words.roles.RoledText.as_list`.
    """
    pair = any(each["loss"] < 0 for each in roles or ())
    made = []
    for each in roles or ():
        start, end = max(each["start"], shown[0]), min(each["end"], shown[1])
        if start < end or each["start"] == each["end"]:
            own = text[start:end]
            made.append(Turn(**each, label=_label(each, pair), text=own, spans=within(spans, start, end)))
    return made


def turns_asked(prompt: str, spans: Sequence[Span] = ()) -> list[Turn]:
    """The turns of a prompt that is a chat in a template's words, as far as they were said; none of any other."""
    return [
        Turn(
            role=role,
            label=role,
            start=start,
            end=end,
            loss=0,
            text=prompt[start:end].strip(),
            spans=within(spans, start + len(prompt[start:end]) - len(prompt[start:end].lstrip()), end),
        )
        for role, start, end in chat_turns(prompt)
    ]


def _label(part: Mapping[str, Any], pair: bool) -> str:
    role, loss = str(part["role"]), part["loss"]
    if not pair or not loss or role in WRITTEN:
        return role
    return f"{role}, {CHOSEN if loss > 0 else REJECTED}"
