"""Word sequences a passage shares with a prompt and its answer, longest first (as OLMoTrace shows them)."""

from collections.abc import Iterable, Sequence

from app.web.marking.highlight import Span
from app.words.names import placed_words

SHORTEST = 2  # words; a single shared word is a span only if it is long
LONG_WORD = 5  # characters
MOST_WORDS = 60_000


def shared_spans(text: str, question: str) -> list[Span]:
    """Maximal runs of words of `text` that stand in `question` in the same order, folded as `app.words.names` folds."""
    asked = [word for word, _, _ in placed_words(question)]
    placed = placed_words(text)[:MOST_WORDS]
    starts: dict[str, list[int]] = {}
    for at, word in enumerate(asked):
        starts.setdefault(word, []).append(at)
    spans: list[Span] = []
    at = 0
    while at < len(placed):
        length = max((_run(placed, at, asked, start) for start in starts.get(placed[at][0], ())), default=0)
        if length >= SHORTEST or (length == 1 and len(placed[at][0]) >= LONG_WORD):
            spans.append(Span(start=placed[at][1], end=placed[at + length - 1][2], kind="verbatim"))
        at += max(length, 1)
    return spans


def stretches(marked: Iterable[tuple[str, Sequence[Span]]]) -> list[tuple[str, int]]:
    """The different verbatim phrases marked in texts, of two words or more, with their words: longest first."""
    placed: dict[str, int] = {}
    for text, spans in marked:
        for span in spans:
            phrase = " ".join(word for word, _, _ in placed_words(text[span.start : span.end]))
            if span.kind == "verbatim" and (count := phrase.count(" ") + 1) >= SHORTEST:
                placed[phrase] = count
    return sorted(placed.items(), key=lambda each: -each[1])


def _run(placed: list[tuple[str, int, int]], at: int, asked: list[str], start: int) -> int:
    length = 0
    while (
        at + length < len(placed)
        and start + length < len(asked)
        and placed[at + length][0] == asked[start + length]
    ):
        length += 1
    return length
