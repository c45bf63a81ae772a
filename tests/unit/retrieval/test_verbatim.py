"""Stretches of text that passages share, against a plain reading of every passage."""

import itertools
import math
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
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


@given(st.lists(TEXT, max_size=6), TEXT)
def test_passages_are_ranked_by_the_rarest_stretch_that_stands_in_them(corpus: list[str], text: str) -> None:
    """Against every stretch tried on every passage; a passage without any is no hit, and ties keep the corpus's order."""
    split = [each.split() for each in corpus]
    every = [word for own in split for word in [*own, ""]]

    def surprise(words: list[str]) -> float:
        return sum(math.log(len(every) / every.count(word)) for word in words)

    words, best = text.split(), dict[int, float]()
    for first, last in itertools.combinations(range(len(words) + 1), 2):
        stretch = words[first:last]
        for row, own in enumerate(split):
            if len(stretch) > 1 and any(own[at : at + len(stretch)] == stretch for at in range(len(own))):
                best[row] = max(best.get(row, 0.0), surprise(stretch))
    wanted = sorted(best, key=lambda row: (-round(best[row], 9), row))
    [scores], [rows] = Verbatim.build(corpus).search([text], 6)
    assert sorted(rows[rows >= 0]) == sorted(wanted)
    assert [round(best[row], 4) for row in rows[rows >= 0]] == [round(best[row], 4) for row in wanted]
    assert scores[rows >= 0].tolist() == pytest.approx([best[row] for row in rows[rows >= 0]], rel=1e-5)


@given(st.lists(TEXT, max_size=6), TEXT)
def test_what_is_kept_answers_as_what_was_built(corpus: list[str], text: str) -> None:
    built = Verbatim.build(corpus)
    with tempfile.TemporaryDirectory() as folder:
        built.save(Path(folder, "kept"))
        kept = Verbatim.load(Path(folder, "kept"))
        assert kept.find(text) == built.find(text)
        assert all(
            np.array_equal(a, b) for a, b in zip(kept.search([text], 4), built.search([text], 4), strict=True)
        )


def test_words_of_any_script_are_known_again() -> None:
    corpus = ["Łódź liegt in Polen", "東京 は 大きい", "a \ud800b c"]
    kept = Verbatim.build(corpus)
    assert [kept.find(text)[0].rows for text in ("łódź LIEGT", "東京 は", "\ud800b c")] == [(0,), (1,), (2,)]


def test_the_limit_counts_words_not_passages() -> None:
    """A million web pages have four hundred times the words of a million short sentences."""
    one_long, many_short = ["a b " * 50], ["a"] * 50
    assert len(Verbatim.build(many_short, most=100)) == 50
    too_long = Verbatim.build(one_long, most=100)
    assert (len(too_long), too_long.find("a b")) == (0, [])
