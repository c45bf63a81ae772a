"""Word sequences a passage shares with a prompt and its answer, longest first (as OLMoTrace shows them)."""

import re
from collections.abc import Iterable, Sequence

from app.web.marking.highlight import Span

SHORTEST = 2  # words; a single shared word is a span only if it is long
LONG_WORD = 5  # characters
_WORD = re.compile(r"\w+", re.UNICODE)
MOST_WORDS = 60_000


def shared_spans(text: str, question: str) -> list[Span]:
    """Maximal runs of words of `text` that stand in `question` in the same order, in any letter case."""
    asked = [word.casefold() for word in _WORD.findall(question)]
    found = [(m.group().casefold(), m.start(), m.end()) for m in _WORD.finditer(text)][:MOST_WORDS]
    starts: dict[str, list[int]] = {}
    for at, word in enumerate(asked):
        starts.setdefault(word, []).append(at)
    spans: list[Span] = []
    at = 0
    while at < len(found):
        length = max((_run(found, at, asked, start) for start in starts.get(found[at][0], ())), default=0)
        if length >= SHORTEST or (length == 1 and len(found[at][0]) >= LONG_WORD):
            spans.append(Span(start=found[at][1], end=found[at + length - 1][2], kind="verbatim"))
        at += max(length, 1)
    return spans


def stretches(marked: Iterable[tuple[str, Sequence[Span]]]) -> list[tuple[str, int]]:
    """The different verbatim phrases marked in texts, of two words or more, with their words: longest first."""
    found: dict[str, int] = {}
    for text, spans in marked:
        for span in spans:
            phrase = " ".join(_WORD.findall(text[span.start : span.end])).casefold()
            if span.kind == "verbatim" and (count := phrase.count(" ") + 1) >= SHORTEST:
                found[phrase] = count
    return sorted(found.items(), key=lambda each: -each[1])


def _run(found: list[tuple[str, int, int]], at: int, asked: list[str], start: int) -> int:
    length = 0
    while (
        at + length < len(found)
        and start + length < len(asked)
        and found[at + length][0] == asked[start + length]
    ):
        length += 1
    return length
