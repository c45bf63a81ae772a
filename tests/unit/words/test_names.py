"""Where a name stands, and when an answer is right: the same at every place that asks, in every script."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.words.names import find_names, fold, has_name, is_right, words


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        (" Paris", ["Paris"], True),
        ("paris, as ever", ["Paris"], True),
        ("Paris on the Seine", ["Paris"], True),
        ("Parisian", ["Paris"], False),
        ("the United Kingdom", ["United Kingdom"], True),
        ("United Kingdom", ["the United Kingdom"], True),
        ("thirty-six", ["thirty"], False),
        ("thirty six", ["thirty"], False),
        ("two hundred", ["two"], False),
        ("thirty-six, said Ada", ["thirty-six"], True),
        ("3.5", ["3"], False),
        ("3", ["3"], True),
        ("3,000 people", ["3"], False),
        ("3, said Ada", ["3"], True),
        ("5%", ["5"], False),
        ("10:30", ["10"], False),
        ("Czech Republic", ["Czech"], False),
        ("Czech, a Slavic language", ["Czech"], True),
        ("Czech and Slovak", ["Czech"], True),
        ("Guinea-Bissau", ["Guinea"], False),
        ("Guinea Bissau", ["Guinea"], False),
        ("Papua New Guinea", ["Guinea"], False),
        ("O’Brien", ["O'Brien"], True),
        ("O'Brien", ["O"], False),
        ("Paris's", ["Paris"], True),
        (unicodedata.normalize("NFD", "São Tomé"), ["São Tomé"], True),
        ("Cafés", ["Café"], False),
        ("dollars", ["dollar", "dollars"], True),
        ("dollars", ["dollar"], False),
        ("東京です", ["東京"], True),
        ("京都", ["京"], False),
        ("กรุงเทพเป็น", ["กรุงเทพ"], True),
        ("서울입니다", ["서울"], True),
        ("STRASSE", ["Straße"], True),
        ("", ["Paris"], False),
        ("Paris", ["", "  "], False),
    ],
)
def test_an_answer_is_right_if_the_name_ends_where_the_accepted_one_does(
    answer: str, accepted: list[str], right: bool
) -> None:
    assert is_right(answer, accepted) is right


@pytest.mark.parametrize(
    ("text", "name", "marked"),
    [
        ("Guinea and Guinea-Bissau", "Guinea", ["Guinea"]),
        ("A Paris-based firm in Paris.", "Paris", ["Paris", "Paris"]),
        ("They were thirty-six, not thirty.", "thirty", ["thirty"]),
        ("It is 3.5 or 3.", "3", ["3"]),
        ("l’Afrique, non-French", "Afrique", ["Afrique"]),
        ("non-French", "French", ["French"]),
        ("日本の首都は東京です。", "東京", ["東京"]),
        ("กรุงเทพเป็นเมืองหลวงของไทย", "ไทย", ["ไทย"]),
        ("the cafe\u0301s and the Cafe\u0301 by the sea", "Café", ["Cafe\u0301"]),
        ("the Café by the sea", "Cafe\u0301", ["Café"]),
        ("Cafe", "Café", []),
        ("Mr O’Brien", "O'Brien", ["O’Brien"]),
        ("ＮＨＫ", "NHK", ["ＮＨＫ"]),
        ("Straße in Strasse", "STRASSE", ["Straße", "Strasse"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국", ["\u1112\u1161\u11ab\u1100\u116e\u11a8"]),
    ],
)
def test_a_name_is_marked_where_it_stands(text: str, name: str, marked: list[str]) -> None:
    assert [text[a:b] for a, b in find_names(text, [name])] == marked
    assert has_name(text, name) is bool(marked)


def test_the_longest_name_is_marked_where_two_overlap() -> None:
    text = "New York is not York."
    assert [text[a:b] for a, b in find_names(text, ["York", "New York"])] == ["New York", "York"]


@given(text=st.text(max_size=50), name=st.text(min_size=1, max_size=6))
def test_places_lie_in_the_text_and_spell_the_name(text: str, name: str) -> None:
    """Whatever the text, no place is beyond it, none overlap, and what is marked is the name."""
    end = 0
    for start, stop in find_names(f"{text} {name} {text}", [name]):
        assert end <= start < stop
        end = stop
        assert fold(f"{text} {name} {text}"[start:stop]).strip().startswith(fold(name).strip()[:1])


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=30))
def test_every_spelling_of_a_text_has_the_same_words(
    form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str
) -> None:
    if fold(unicodedata.normalize(form, text)) == fold(text):
        assert words(unicodedata.normalize(form, text)) == words(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Capital of Ghana is Accra.", ["the", "capital", "of", "ghana", "is", "accra"]),
        ("日本の首都は東京です", ["日本", "本の", "の首", "首都", "都は", "は東", "東京", "京で", "です"]),
        ("東京", ["東京"]),
        ("京", ["京"]),
        ("Python言語", ["python", "言語"]),
        ("O'Brien O’Brien", ["o", "brien", "o", "brien"]),
        ("cafe\u0301", ["café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
    ],
)
def test_words_are_those_of_the_script(text: str, found: list[str]) -> None:
    assert words(text) == found
