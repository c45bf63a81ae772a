"""An answer in parts: no character is left out or counted twice, and what asks for a passage of its own stands alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.words.parts import parts_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (" Bamako", [" Bamako"]),
        ("It has 12,400 people. The toll is 3.50 marks.", ["It has ", "12,400", " people. ", "The toll is ", "3.50", " marks."]),
        ("“Yes.” So he said.\nThen he left", ["“Yes.” ", "So he said.\n", "Then he left"]),
        ("between 10, 20 and 30 %", ["between ", "10, ", "20", " and ", "30 %"]),
        ("42", ["42"]),
        ("... 7", ["... 7"]),
        ("他来了。她走了。", ["他来了。", "她走了。"]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences_and_numbers_stand_alone(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in parts_of(text)] == parts


@given(st.text(alphabet="a1 .,!?\n%-”é"))
def test_the_parts_are_the_whole(text: str) -> None:
    assert "".join(text[start:end] for start, end in parts_of(text)) == text
