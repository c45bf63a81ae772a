"""Words shared verbatim: maximal, in order, and worth showing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.marking.verbatim import shared_spans, stretches

QUESTION = "The currency of Ghana is the cedi"


def said(text: str) -> list[str]:
    return [text[span.start : span.end] for span in shared_spans(text, QUESTION)]


def test_the_longest_run_of_words_is_one_span() -> None:
    assert said("Shops know the CURRENCY of Ghana, which is the cedi.") == [
        "the CURRENCY of Ghana",
        "is the cedi",
    ]


def test_single_short_words_are_noise() -> None:
    assert said("It is of no use.") == []
    assert said("Ghana is far.") == ["Ghana is"]


def test_stretches_are_told_once_longest_first() -> None:
    texts = ["the currency of Togo", "The Currency of Ghana", "in Ghana is hot"]
    assert stretches([(text, shared_spans(text, QUESTION)) for text in texts]) == [
        ("the currency of ghana", 4), ("the currency of", 3), ("ghana is", 2),
    ]  # fmt: skip


@given(st.text(max_size=60), st.text(max_size=40))
def test_spans_lie_in_the_text_and_do_not_overlap(text: str, question: str) -> None:
    end = 0
    for span in shared_spans(text, question):
        assert end <= span.start < span.end <= len(text)
        end = span.end


@pytest.mark.parametrize("written", ["Ｐａｒｉｓ", "Cafe\u0301 Noir", "L’Île d’Or"])
def test_one_folding_decides_what_is_the_same_word(written: str) -> None:
    """Full width, a combining accent, a curly apostrophe: the passage says what the question says."""
    question = f"they met at {unicodedata.normalize('NFKC', written)} again".replace("’", "'")
    text = f"So, they met at {written} again."
    (span,) = shared_spans(text, question)
    assert text[span.start : span.end] == f"they met at {written} again"
