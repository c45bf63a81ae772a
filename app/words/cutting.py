"""Texts too long for their place, cut so that no word and no character is torn: one rule for lists, headings and cards."""

import regex

ELLIPSIS = "…"
_CHARACTER = regex.compile(r"\X")  # what a reader takes for one: a letter with its accents, a flag, a family


def cut(text: str, most: int) -> str:
    """`text` in at most `most` characters, the ellipsis of what was cut off included.

    The cut is between words; where a word is longer than half the place, or the script writes none apart, between what
    readers take for characters.
    """
    if len(text) <= most:
        return text
    head = text[: most - 1]
    if not text[most - 1].isspace():
        at = max((place for place, sign in enumerate(head) if sign.isspace()), default=0)
        head = head[:at] if at > most // 2 else _whole(text, most - 1)
    return f"{head.rstrip().rstrip(',;:.').rstrip()}{ELLIPSIS}"


def _whole(text: str, most: int) -> str:
    """The longest beginning of at most so many characters that tears none."""
    end = 0
    for found in _CHARACTER.finditer(text[: most + 64]):
        if found.end() > most:
            break
        end = found.end()
    return text[:end]
