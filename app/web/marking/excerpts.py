"""The part of a long passage that matters: a window around its marked words, cut between words."""

from collections.abc import Sequence
from typing import NamedTuple

from app.web.marking.highlight import Span

SIZE = 420


class Excerpt(NamedTuple):
    """The window's text, the spans that lie in it (offsets into it), and whether anything was left out."""

    text: str
    spans: list[Span]
    cut: bool


def excerpt(text: str, spans: Sequence[Span], size: int = SIZE) -> Excerpt:
    """At most about `size` characters of `text`, where most different kinds of spans stand close together."""
    if len(text) <= size:
        return Excerpt(text, list(spans), False)
    start = max(0, _best(spans, size) - size // 4)
    start = max(0, min(start, len(text) - size))
    if start:
        start = text.find(" ", start, start + 30) + 1 or start
    end = min(len(text), start + size)
    if end < len(text):
        space = text.rfind(" ", end - 30, end)
        end = space if space > start else end
    inside = [s for s in spans if s.start < end and s.end > start]
    moved = [
        Span(start=max(s.start, start) - start, end=min(s.end, end) - start, kind=s.kind) for s in inside
    ]
    return Excerpt(("…" if start else "") + text[start:end], _shifted(moved, 1 if start else 0), True)


def _shifted(spans: list[Span], by: int) -> list[Span]:
    return [Span(start=s.start + by, end=s.end + by, kind=s.kind) for s in spans] if by else spans


def _best(spans: Sequence[Span], size: int) -> int:
    """Where to open: the span from which `size` / 2 characters hold most kinds, the first of equals."""
    best, found = 0, 0
    for span in spans[:200]:
        kinds = len({s.kind for s in spans if span.start <= s.start < span.start + size // 2})
        if kinds > found:
            best, found = span.start, kinds
    return best
