"""BM25 against the formula, worked by hand."""

import math
from pathlib import Path

import bm25s
import numpy as np
import pytest

from app.retrieval.bm25 import BM25, K1, B
from tests.support.demo_texts import demo_world

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


def test_names_are_found_in_scripts_without_spaces_and_in_every_spelling() -> None:
    """東京 stands inside a run of letters; an NFC name finds an NFD passage, and one apostrophe the other."""
    texts = [
        "日本の首都は東京です。",
        "大阪は日本の都市です。",
        "They met in the Cafe\u0301.",
        "Mr O’Brien left.",
        "เมืองหลวงคือกรุงเทพ",
    ]
    scores, rows = BM25.build(texts).search(["東京", "Café", "O'Brien", "กรุงเทพ"], 2)
    assert rows[:, 0].tolist() == [0, 2, 3, 4]
    assert (scores[:, 0] > 0).all()


def test_english_is_ranked_as_bm25s_ranks_it() -> None:
    """Our words are those of bm25s in English, so the figures of a baseline are those of the library by itself."""
    texts = [passage["text"] for passage in demo_world().passages[:400]]
    questions = [*texts[::40], "the capital of Ghana", "A hen, and a shorter way"]
    own, rows = BM25.build(texts).search(questions, 5)
    plain = bm25s.BM25(method="lucene", k1=K1, b=B)
    split = {"stopwords": [], "token_pattern": r"(?u)\b\w+\b", "show_progress": False}
    plain.index(bm25s.tokenize(texts, **split), show_progress=False)
    for question, scores, found in zip(questions, own, rows, strict=True):
        wanted = plain.get_scores(bm25s.tokenize([question], return_ids=False, **split)[0])
        assert np.allclose(scores[found >= 0], wanted[found[found >= 0]], rtol=1e-5)
        assert np.isclose(scores[0], wanted.max(), rtol=1e-5)
