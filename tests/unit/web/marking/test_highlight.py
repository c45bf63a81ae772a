"""Marking words never changes a word: the property on which reading rests."""

from bs4 import BeautifulSoup
from hypothesis import example, given
from hypothesis import strategies as st

from app.web.marking.highlight import Span, entities, find, mark

TEXTS = st.text(st.characters(exclude_characters="\r"), max_size=80)  # HTML itself reads \r\n as \n
SPANS = st.lists(
    st.builds(
        Span,
        start=st.integers(-5, 90),
        end=st.integers(-5, 90),
        kind=st.sampled_from(["subject", "target", "verbatim", "window"]),
    ),
    max_size=12,
)


def shown(html: str) -> str:
    # Within pre: elsewhere the parser takes any white space alone for one space.
    return BeautifulSoup(f"<pre>{html}</pre>", "html.parser").pre.get_text()


def as_shown(text: str) -> str:
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


@given(TEXTS, SPANS)
@example("</mark><script>alert(1)</script>", [Span(start=2, end=20, kind="target")])
@example("a\x00b\ud800c", [Span(start=0, end=5, kind="subject")])
@example("\x0c", [])
def test_any_spans_on_any_text_give_the_text_back(text: str, spans: list[Span]) -> None:
    assert shown(mark(text, spans)) == as_shown(text)


@given(TEXTS, SPANS)
def test_every_character_has_the_kinds_of_all_spans_over_it(text: str, spans: list[Span]) -> None:
    """Overlapping, nested, equal, empty, reversed and outlying spans included."""
    soup = BeautifulSoup(f"<pre>{mark(text, spans)}</pre>", "html.parser")
    drawn: list[set[str]] = []
    for piece in soup.pre.find_all(string=True):
        kinds = set(piece.parent["class"]) if piece.parent.name == "mark" else set()
        drawn += [kinds] * len(piece)
    wanted = [{s.kind for s in spans if max(0, s.start) <= at < s.end} for at in range(len(text))]
    assert drawn == wanted


def test_the_longest_term_wins_and_only_whole_words_count() -> None:
    """`York` inside `New York` is one place; `Ghana` is not in `Ghanaian`."""
    assert [(s.start, s.end) for s in find("New York, York, Yorkshire", ["York", "New York"], "target")] == [
        (0, 8), (10, 14),
    ]  # fmt: skip
    assert find("The Ghanaian", ["Ghana"], "subject") == []
    assert find("anything", ["", "  "], "target") == []


def test_terms_are_text_and_not_patterns() -> None:
    assert [s.start for s in find("what is 1+1? (1+1)", ["1+1"], "subject")] == [8, 14]
    assert len(entities("C++ and c++", "C++", ["(a|b)*"])) == 2
