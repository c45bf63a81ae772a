"""Where the answer ends: one rule for runs and traces, which a number, a name or another script does not fool."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.words.answers import answer_end, answer_of, sentence_end


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" 2, said Freya", "2"),
        (" Paris. It", "Paris"),
        (" 3.5 metres, they say", "3.5 metres"),
        (" 1,000 people; others left", "1,000 people"),
        (" St. Petersburg. It lies", "St. Petersburg"),
        (" George W. Bush, who", "George W. Bush"),
        (" J. R. R. Tolkien, said", "J. R. R. Tolkien"),
        (" P. It is a gas", "P"),
        (" vitamin C. She took", "vitamin C"),
        (" U.S. dollars. And", "U.S. dollars"),
        (", said Emeka. She", ", said Emeka"),
        (". The hen knew, though", ". The hen knew"),
        (" 10:30 in the morning", "10:30 in the morning"),
        ("東京です。京都は", "東京です"),
        ("東京、大阪", "東京"),
        ("北京！真的吗？", "北京"),
        (" Paris…", "Paris"),
        (" Paris\nQuestion:", "Paris"),
        ("\nParis", "Paris"),
        (" Paris\u2028next", "Paris"),
        (" काठमाडौं। नेपाल", "काठमाडौं"),
        (" القاهرة؟", "القاهرة"),
        (" well-known — so they say", "well-known"),
        (" .", "."),
        ("", ""),
    ],
)
def test_the_answer_is_the_first_clause(text: str, answer: str) -> None:
    assert answer_of(text) == answer


@given(text=st.text(max_size=80))
def test_an_answer_is_a_beginning_of_its_sentence_and_has_a_word_if_the_text_has_one(text: str) -> None:
    end = answer_end(text)
    assert 0 <= end <= sentence_end(text) <= len(text)
    if any(sign.isalnum() for sign in text):
        assert any(sign.isalnum() for sign in text[:end])
    else:
        assert end == len(text)


@given(text=st.text(max_size=60))
@example("0:!")  # the colon ends the clause, though no space follows it
@example("a -\nb")
def test_what_is_an_answer_is_all_answer(text: str) -> None:
    """Asked of an answer alone, the rule cuts no further, but for a full stop whose next word is gone."""
    answer = text[: answer_end(text)]
    assert answer_end(answer) == len(answer) or "." in answer
