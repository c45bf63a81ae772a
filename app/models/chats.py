"""A chat as a model reads it: its tokenizer's own template, and where in what it writes each turn's words stand.

The template is asked twice: for the chat, and for one in which each turn says a sign of its own. The second tells what
stands between the turns, and so where in the first their words are; nothing is searched for that a user could have said.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from app.errors import UserError

_SIGN = re.compile("\ue000(\\d+)\ue001")
_MARKS_LOSS = re.compile(r"{%-?\s*generation\s*-?%}")
Turn = tuple[str, str]
"""Role, what is said."""


@dataclass(frozen=True)
class RenderedChat:
    """What the model reads.

    Args:
        places: for each turn where its words stand in `text`, and the first of its characters that does.
        marked: for each token of `text`, whether the template says that the model writes it; None where it does not say.
    """

    text: str
    places: tuple[tuple[int, int, int], ...]
    marked: tuple[bool, ...] | None


def template_of(tokenizer: Any) -> str:
    """The template of a tokenizer.

    Raises:
        UserError: it has none.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "This model's tokenizer has no chat template, so nothing says how it reads a chat.",
            field="chat_template",
            remedy="Save one with the tokenizer (chat_template.jinja), or give prompt and completion.",
        )
    return str(tokenizer.get_chat_template())


def template_sha256(tokenizer: Any) -> str:
    """The digest of the template, which is not always in the files that a model's digest covers."""
    return hashlib.sha256(template_of(tokenizer).encode("utf-8", "backslashreplace")).hexdigest()


def render(tokenizer: Any, turns: Sequence[Turn], *, answers: bool = False) -> RenderedChat:
    """A chat in the words of the template.

    Args:
        answers: the text ends where the assistant begins to answer.

    Raises:
        UserError: the tokenizer has no template, or it refuses these turns or changes what they say.
    """
    template = template_of(tokenizer)
    text, places = placed_turns(tokenizer, turns, answers=answers)
    return RenderedChat(text, places, _marked(tokenizer, turns) if _MARKS_LOSS.search(template) else None)


def placed_turns(
    tokenizer: Any, turns: Sequence[Turn], *, answers: bool = False
) -> tuple[str, tuple[tuple[int, int, int], ...]]:
    """The same without what the template says of loss: the text, and where in it each turn's words stand.

    Args:
        tokenizer: the model's, or its `app.models.chat_template.TemplateFiles`.
    """
    template_of(tokenizer)
    text = _written(tokenizer, turns, answers)
    signs = [(role, f"\ue000{number}\ue001") for number, (role, _) in enumerate(turns)]
    pieces = _SIGN.split(_written(tokenizer, signs, answers))
    order = [int(number) for number in pieces[1::2]]
    places = _places(text, pieces[::2], order, [said for _, said in turns])
    if places is None:
        raise UserError(
            f"The model's chat template does not write all that is said in “{turns[0][1][:60]}”.",
            field="messages",
            remedy="Cut the chat where it leaves something out, or save a template that keeps every turn.",
        )
    return text, places


def _written(tokenizer: Any, turns: Sequence[Turn], answers: bool) -> str:
    messages = [{"role": role, "content": said} for role, said in turns]
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answers))
    except (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise UserError(
            f"The model's chat template refuses “{json.dumps(messages, ensure_ascii=False)[:80]}”: {error}",
            field="messages",
            remedy="Give turns in the order that the template asks for.",
        ) from None


def _marked(tokenizer: Any, turns: Sequence[Turn]) -> tuple[bool, ...]:
    messages = [{"role": role, "content": said} for role, said in turns]
    made = tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    return tuple(map(bool, made["assistant_masks"]))


def _places(
    text: str, between: Sequence[str], order: Sequence[int], said: Sequence[str]
) -> tuple[tuple[int, int, int], ...] | None:
    """Where the turns stand in a text that is `between`, with what is said, whole or trimmed, in their gaps."""
    if sorted(order) != list(range(len(said))) or not text.startswith(between[0]):
        return None
    found: list[tuple[int, int, int]] = [(0, 0, 0)] * len(said)
    at = len(between[0])
    for turn, after in zip(order, between[1:], strict=True):
        words = said[turn]
        for own in (words, words.strip(), words.rstrip(), words.lstrip()):
            if text.startswith(own + after, at):
                found[turn] = (at, at + len(own), words.find(own))
                at += len(own) + len(after)
                break
        else:
            return None
    return tuple(found) if at == len(text) else None
