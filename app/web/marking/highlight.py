"""Spans: which characters of a text are subject, target or shared verbatim, and the text with them marked.

Spans are character offsets, computed once on the server, carried in the JSON twin and drawn here. Where spans
overlap, each piece gets the kinds of all that cover it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape
from pydantic import BaseModel

from app.words.names import find_names


class Span(BaseModel):
    """Characters `start` to `end` (exclusive) of a text are of a kind: subject, target, verbatim, window."""

    start: int
    end: int
    kind: str


def mark(text: str, spans: Sequence[Span] = ()) -> Markup:
    """The text as safe HTML with `<mark class=…>` around its spans; any spans on any text give the text back."""
    if not spans:
        return visible(text)
    edges: dict[int, list[tuple[int, str]]] = {}
    for span in spans:
        start, end = max(0, span.start), min(len(text), span.end)
        if start < end:
            edges.setdefault(start, []).append((1, span.kind))
            edges.setdefault(end, []).append((-1, span.kind))
    covering: Counter[str] = Counter()
    pieces: list[tuple[str, str]] = []
    at = 0
    for edge in [*sorted(edges), len(text)]:
        kinds = " ".join(sorted(kind for kind, count in covering.items() if count))
        if pieces and pieces[-1][0] == kinds:
            pieces[-1] = (kinds, pieces[-1][1] + text[at:edge])
        elif edge > at:
            pieces.append((kinds, text[at:edge]))
        for by, kind in edges.get(edge, ()):
            covering[kind] += by
        at = edge
    return Markup("").join(
        Markup('<mark class="{}">{}</mark>').format(kinds, visible(piece)) if kinds else visible(piece)
        for kinds, piece in pieces
    )


def visible(text: str) -> Markup:
    """Escaped text whose NUL bytes and lone surrogates are shown as the replacement character."""
    return escape(_UNSHOWABLE.sub("\ufffd", text))


def find(text: str, terms: Iterable[str], kind: str) -> list[Span]:
    """Wherever the terms stand in the text (see `app.words.names`), the longest where they overlap."""
    return [Span(start=start, end=end, kind=kind) for start, end in find_names(text, terms)]


def entities(text: str, subject: str | None, targets: Iterable[str]) -> list[Span]:
    """Subject and target (with its aliases) wherever they stand in the text."""
    spans = find(text, [subject] if subject else [], "subject") + find(text, targets, "target")
    return sorted(spans, key=lambda span: (span.start, span.end))


_UNSHOWABLE = re.compile("[\x00\ud800-\udfff]")
