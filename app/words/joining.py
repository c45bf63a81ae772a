"""What stands between a prompt and what follows it: nothing is put there but by this rule, and never in silence.

A completion is text that follows its prompt as it is: `prompt + completion` is what the model reads. A prompt set's
*target* is a word or phrase, written without the space that stands before it: `follow` puts it there. What a person
types is joined as typed, and where that is not as `follow` would join it, `doubts` says so, with a repair.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

_UNSPACED = (  # scripts that are written without spaces between words, by the first word of Unicode's names
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "KATAKANA-HIRAGANA",
    "HALFWIDTH",
    "FULLWIDTH",
    "IDEOGRAPHIC",
    "BOPOMOFO",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
)
_CLOSES = {"Pe", "Pf"}  # Unicode's categories of closing brackets and quotes
_OPENS = {"Ps", "Pi", "Sc"}  # of opening ones, and of signs of money
_CLINGS = frozenset(".,;:!?%…’")  # signs that stand at the end of the word before them
_JOINS = frozenset("-/=_@#")  # signs that join two words, if they follow the first without a space
_QUOTES = frozenset("\"'")  # which open as well as close


Field = Literal["completion", "contrast"]


@dataclass(frozen=True)
class BorderDoubt:
    """Something about a border that the one who typed it may not have meant.

    Args:
        field: where it was typed.
        message: what it does.
        remedy: the words on the button that repairs it.
        repaired: the fields as they are after the repair.
    """

    field: Literal["prompt", "completion", "contrast"]
    message: str
    remedy: str
    repaired: dict[str, str]


def follow(prompt: str, target: str) -> str:
    """The completion that a target is: with one space before it, where words are parted by spaces.

    None is put after white space, an opening bracket or quote or a sign that joins words, before a sign that clings to the
    word before it, and in scripts without spaces. A target that begins with white space is taken as it is.
    """
    if not prompt or not target or prompt[-1].isspace() or target[0].isspace():
        return target
    close = _opens(prompt) or _clings(target) or _without_spaces(prompt, target)
    return target if close else f" {target}"


def unspaced(character: str) -> bool:
    """Whether a character is of a script that is written without spaces."""
    return character > "\u0dff" and unicodedata.name(character, "").split(" ")[0] in _UNSPACED


def doubts(prompt: str, completion: str | None, contrast: str | None = None) -> list[BorderDoubt]:
    """What may not have been meant about the border of a typed prompt and what is to follow it."""
    ends = prompt.rstrip(" ")
    if ends and ends != prompt:
        moved = {"completion": completion, "contrast": contrast}
        repaired = {name: follow(ends, text.lstrip(" ")) for name, text in moved.items() if text}
        return [
            BorderDoubt(
                field="prompt",
                message="The prompt ends in a space. Most tokenizers put it into the next word, so that after it"
                " the model goes on otherwise.",
                remedy="Move the space to the completion" if repaired else "Take the space away",
                repaired={"prompt": ends} | repaired,
            )
        ]
    found = []
    typed: list[tuple[Field, str | None]] = [("completion", completion), ("contrast", contrast)]
    for field, text in typed:
        if text and text.strip():
            found += [each for each in (_border(prompt, text, field), _end(text, field)) if each]
    return found


def _border(prompt: str, text: str, field: Field) -> BorderDoubt | None:
    wanted = follow(prompt, text.lstrip(" "))
    grown = not text[0].isspace() and wanted[0] == " " and _word_like(prompt[-1]) and text[0].isalnum()
    if text == wanted or not (grown or text[0] == " "):
        return None
    remedy = (
        "Put a space between" if grown else "Leave one space" if wanted[0] == " " else "Take the space away"
    )
    return BorderDoubt(
        field=field,
        message=f"With the prompt this reads “{_last_word(prompt)}{_first_word(text)}”.",
        remedy=remedy,
        repaired={field: wanted},
    )


def _end(text: str, field: Field) -> BorderDoubt | None:
    ends = text.rstrip(" ")
    if ends == text:
        return None
    return BorderDoubt(
        field=field,
        message="This ends in a space, which is explained too.",
        remedy="Take the space away",
        repaired={field: ends},
    )


def _opens(prompt: str) -> bool:
    last, before = prompt[-1], prompt[-2:-1]
    if last in _QUOTES:
        return not before or before.isspace() or unicodedata.category(before) in _OPENS
    if last in _JOINS:
        return bool(before) and not before.isspace()
    return unicodedata.category(last) in _OPENS or last in "¿¡"


def _clings(target: str) -> bool:
    first = target[0]
    if first in _QUOTES:
        return not target[1:2].isalnum()
    return first in _CLINGS or unicodedata.category(first) in _CLOSES


def _without_spaces(prompt: str, target: str) -> bool:
    return unspaced(prompt[-1]) or (unspaced(target[0]) and any(map(unspaced, prompt)))


def _word_like(character: str) -> bool:
    return character.isalnum() or character in _CLINGS


def _last_word(text: str) -> str:
    return f"…{text[-30:].rsplit(None, 1)[-1]}" if text.split() else ""


def _first_word(text: str) -> str:
    lead = text[: len(text) - len(text.lstrip())]
    return lead + (text[:30].split() or [""])[0]
