"""An answer cut into parts that are each worth a question: its sentences, and every number by itself. They leave nothing out."""

import re
from itertools import pairwise

_NUMBER = re.compile(r"[+\-−]?\d+(?:[.,:/]\d+)*(?:\s?%)?")
_SENTENCE = re.compile(r"(?:[.!?…][\"'”’)\]]*(?=\s)|[。！？]|\n)\s*")
_WORD = re.compile(r"\w")


def parts_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each part, one after the other from the first character to the last.

    What has no word in it (a comma between two numbers) goes with the part before it, or with the first after it.
    """
    cuts = {0, len(text)}
    for number in _NUMBER.finditer(text):
        cuts.update(number.span())
    cuts |= {border.end() for border in _SENTENCE.finditer(text)}
    ordered = sorted(cuts)
    parts: list[tuple[int, int]] = []
    for start, end in pairwise(ordered):
        if parts and (not _WORD.search(text, start, end) or not _WORD.search(text, *parts[-1])):
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    return parts
