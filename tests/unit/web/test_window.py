"""The window on a long text: any text, any spans."""

from hypothesis import given
from hypothesis import strategies as st

from app.web.marking.highlight import Span
from app.web.marking.window import window, within

TEXTS = st.text(st.sampled_from("ab  京東é"), max_size=300)
PLACES = st.lists(st.tuples(st.integers(0, 299), st.integers(1, 60), st.sampled_from("stv")), max_size=8)


def spans_in(text: str, places: list[tuple[int, int, str]]) -> list[Span]:
    return [
        Span(start=at, end=min(len(text), at + length), kind=kind)
        for at, length, kind in places
        if at < len(text)
    ]


@given(TEXTS, PLACES, st.integers(20, 80))
def test_a_window_is_filled_shows_a_mark_and_cuts_spans_with_the_text(
    text: str, places: list[tuple[int, int, str]], size: int
) -> None:
    spans = spans_in(text, places)
    start, end = window(text, spans, size)
    assert 0 <= start <= end <= len(text)
    if len(text) <= size:
        assert (start, end) == (0, len(text))
    else:
        assert end - start <= size + size // 4
    lead = text[start:end]
    inside = within(spans, start, end)
    assert bool(inside) == bool(spans)  # where anything is marked, some of it is seen
    originals = [text[span.start : span.end] for span in spans]
    assert all(any(lead[s.start : s.end] in each for each in originals) for s in inside)


def test_of_two_places_the_one_with_both_names_is_opened() -> None:
    text = "Ghana. " + "x " * 400 + "Ghana pays in cedi. " + "y " * 400
    at = text.index("Ghana pays")
    spans = [Span(start=0, end=5, kind="subject"), Span(start=at, end=at + 5, kind="subject"),
             Span(start=at + 14, end=at + 18, kind="target")]  # fmt: skip
    start, end = window(text, spans, 100)
    assert "Ghana pays in cedi" in text[start:end]


def test_a_cut_falls_between_words_where_there_are_any() -> None:
    text = "word " * 500
    spans = [Span(start=1000, end=1004, kind="target")]
    start, end = window(text, spans, 100)
    assert text[start - 1] == " "
    assert text[end] == " "


def test_a_mark_as_long_as_the_window_begins_in_it() -> None:
    """A best window of an entailment model may be longer than what is shown."""
    text = "京" * 5_000
    start, end = window(text, [Span(start=2_000, end=4_000, kind="window")], 100)
    assert start <= 2_000 < end
