"""A text that is cut is still made of whole words and whole characters, in every script."""

import regex
from hypothesis import given
from hypothesis import strategies as st

from app.words.cutting import ELLIPSIS, cut

FAMILY = "👨\u200d👩\u200d👧"


def test_a_short_text_is_left_alone() -> None:
    assert cut("  two words\n", 12) == "  two words\n"


def test_the_cut_is_between_words() -> None:
    assert cut("The quick brown fox jumps", 14) == "The quick…"
    assert cut("The quick brown fox jumps", 16) == "The quick brown…", (
        "a word that ends in its place is whole"
    )
    assert cut("One, two, three", 10) == "One, two…"
    assert cut("line one\nline two", 12) == "line one…"


def test_without_a_space_near_it_is_between_characters() -> None:
    assert cut("首都は東京であり、人口は", 6) == "首都は東京…"
    assert cut("Donaudampfschifffahrt", 8) == "Donauda…"


def test_no_character_is_torn() -> None:
    assert cut("e\u0301" * 10, 6) == "e\u0301e\u0301…", "an accent stays with its letter"
    assert cut("ab" + FAMILY * 3, 6) == "ab…", "nor is a family parted"
    assert cut("🇬🇭🇬🇭🇬🇭", 4) == "🇬🇭…", "nor a flag halved"


@given(st.text(min_size=1, max_size=80), st.integers(2, 60))
def test_whatever_the_text_it_fits_and_tears_nothing(text: str, most: int) -> None:
    found = cut(text, most)
    assert len(found) <= most
    if len(text) <= most:
        assert found == text
        return
    kept = found.removesuffix(ELLIPSIS)
    assert text.startswith(kept)
    borders = {match.end() for match in regex.finditer(r"\X", text)} | {0}
    stripped = text[len(kept) :]
    assert len(kept) in borders or stripped[0] in ",;:." or stripped[0].isspace()
