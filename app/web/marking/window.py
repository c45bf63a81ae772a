"""The part of a long text that is shown first: where the marked words stand closest together. One rule for every page."""

from collections import Counter, deque
from collections.abc import Sequence

from app.web.marking.highlight import Span

SIZE = 600  # characters; a text of up to a quarter more is shown whole
LEAD = SIZE // 4  # characters kept before the part that matters
WORD = 40  # characters within which a place between words is looked for; where none is, none is written (CJK, Thai)


def window(text: str, spans: Sequence[Span], size: int = SIZE) -> tuple[int, int]:
    """Start and end of about `size` characters with most different kinds of spans, then most marked characters.

    A shorter text is its own window. Of equally good places the first is taken, and at either end of the text
    the window is moved inwards, so that it is always filled.
    """
    if len(text) <= size + size // 4:
        return 0, len(text)
    start = min(_best(spans, size, size // 4), len(text) - size)
    end = start + size
    if start:
        start = _between_words(text, start, min(start + WORD, _first(spans, start)))
    if end < len(text):
        space = text.rfind(" ", max(end - WORD, _last(spans, end)), end)
        end = space if space > start else end
    return start, end


def within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The parts of spans that lie in the window, as characters of it."""
    return [
        Span(start=max(span.start, start) - start, end=min(span.end, end) - start, kind=span.kind)
        for span in spans
        if span.start < end and span.end > start
    ]


def _best(spans: Sequence[Span], size: int, lead: int) -> int:
    """Where the best window starts: `lead` characters before one of the spans; 0 where there are none."""
    best, most = 0, (0, 0)
    inside: deque[Span] = deque()
    kinds: Counter[str] = Counter()
    marked = 0
    ordered = sorted(spans, key=lambda span: span.start)
    coming = iter(ordered)
    ahead = next(coming, None)
    for span in ordered:
        start = max(0, span.start - lead)
        while ahead is not None and ahead.start < start + size:
            inside.append(ahead)
            kinds[ahead.kind] += 1
            marked += ahead.end - ahead.start
            ahead = next(coming, None)
        while inside and inside[0].start < start:
            gone = inside.popleft()
            kinds[gone.kind] -= 1
            marked -= gone.end - gone.start
        found = (sum(count > 0 for count in kinds.values()), marked)
        if found > most:
            best, most = start, found
    return best


def _between_words(text: str, start: int, limit: int) -> int:
    return text.find(" ", start - 1, limit) + 1 or start


def _first(spans: Sequence[Span], start: int) -> int:
    """Where the first span begins that ends after `start`: no cut may fall into it."""
    return min((span.start for span in spans if span.end > start), default=start + WORD)


def _last(spans: Sequence[Span], end: int) -> int:
    """Where the last span ends that begins before `end`: nothing before that is cut off."""
    return max((span.end for span in spans if span.start < end), default=0)
