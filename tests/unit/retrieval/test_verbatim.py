"""Stretches of text that passages share, against a plain reading of every passage."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.verbatim import Verbatim

WORD = st.sampled_from(["a", "b", "c", "d"])


TEXT = st.lists(WORD, max_size=8).map(" ".join)


@given(st.lists(TEXT, max_size=6), TEXT)
def test_stretches_are_what_a_plain_reading_finds(corpus: list[str], text: str) -> None:
    """Each stretch stands in exactly the passages that contain it, cannot be longer, and none maximal is missed."""
    found = Verbatim.build(corpus).find(text)
    joined = [f" {' '.join(re.findall(r'[a-d]', each))} " for each in corpus]
    places = [(m.start(), m.end()) for m in re.finditer(r"\w+", text)]

    def passages(first: int, last: int) -> list[int]:
        words = " ".join(text[start:end] for start, end in places[first:last])
        return [row for row, each in enumerate(joined) if f" {words} " in each]

    wanted = []
    for first in range(len(places)):
        for last in range(first + 2, len(places) + 1):
            longer = (first > 0 and passages(first - 1, last)) or (
                last < len(places) and passages(first, last + 1)
            )
            if passages(first, last) and not longer:
                rows = passages(first, last)
                wanted.append((places[first][0], places[last - 1][1], len(rows), tuple(rows[:5])))
    assert [(s.start, s.end, s.count, s.rows) for s in found] == wanted


def test_rare_stretches_come_before_common_ones() -> None:
    """Ten are shown at most: those of rare words, not the first ten "of the"."""
    common = [f"of the x{n}" for n in range(40)]
    corpus = [*common, "quantum chromodynamics"]
    text = " . ".join(["of the"] * 12 + ["quantum chromodynamics"])
    shown = [text[s.start : s.end] for s in Verbatim.build(corpus).find(text)]
    assert "quantum chromodynamics" in shown
