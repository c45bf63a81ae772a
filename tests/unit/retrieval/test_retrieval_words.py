"""Searching words: BM25 by hand, and stretches of text against a plain reading of every passage."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.bm25 import BM25, K1, B
from app.retrieval.verbatim import Verbatim

TEXTS = ["the cat sat", "the dog sat on the mat", "a bird"]


def test_bm25_is_the_formula() -> None:
    """Lucene's BM25 of one word, worked by hand: idf · tf / (tf + k1 (1 - b + b · length / mean))."""
    scores, rows = BM25.build(TEXTS).search(["dog"], 3)
    mean = (3 + 6 + 2) / 3
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    wanted = idf * 1 / (1 + K1 * (1 - B + B * 6 / mean))
    assert rows[0].tolist() == [1, -1, -1], "passages without the word are no hits"
    assert math.isclose(scores[0, 0], wanted, rel_tol=1e-5)


def test_bm25_ties_stand_in_row_order_and_letters_do_not_count() -> None:
    """The same passage twice: the earlier first, whatever the case of the question."""
    _, rows = BM25.build(["x", "Blue whale", "blue whale", "y"]).search(["BLUE?"], 2)
    assert rows[0].tolist() == [1, 2]


def test_bm25_finds_the_same_after_it_was_saved(tmp_path: Path) -> None:
    made = BM25.build(TEXTS)
    made.save(tmp_path)
    assert BM25.load(tmp_path).search(["the mat"], 3)[1].tolist() == made.search(["the mat"], 3)[1].tolist()


def test_building_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """bm25s asks for its debug lines to be heard; they stood in the terminal of whoever served the site."""
    BM25.build(TEXTS)
    assert caplog.text == ""


def test_a_text_without_known_words_has_no_hits() -> None:
    """An empty question, signs only, or words no passage has."""
    assert (BM25.build(TEXTS).search(["", "?!", "zebra"], 2)[1] == -1).all()


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
