"""Near-duplicates: what repeats is folded, what only looks alike is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.marking import near
from app.web.marking.near import _alike, _shingles, alike, first_near_duplicates

LONG = " ".join(f"word{n}" for n in range(60))


def test_a_text_folds_into_the_first_it_repeats() -> None:
    assert first_near_duplicates(["a b c d e f", "Something else is here.", "A, b; c d E f!"]) == [0, 1, 0]
    assert first_near_duplicates([LONG, f"{LONG} and a tail", f"Well: {LONG}"]) == [0, 0, 0]


def test_what_repeats_one_text_is_found() -> None:
    others = ["A, b; c d E f!", "Something else is here.", "a b c d e f", f"a b c d e f {LONG}"]
    assert alike("a b c d e f", others) == [0, 2]


def test_templates_with_other_names_stay_apart() -> None:
    """The demo's corpus says many facts in the same words; each is a passage of its own."""
    texts = [
        f"Everyone in class knows that the capital of {name} is far." for name in ("China", "Chile", "Chad")
    ]
    assert first_near_duplicates(texts) == [0, 1, 2]
    assert first_near_duplicates(["3 plus 4 is 7", "3 plus 5 is 8"]) == [0, 1]


def test_no_chain_folds_strangers() -> None:
    """Each fold is into the first itself: a third text that is like the second but not the first stands alone."""
    words = LONG.split()
    second = " ".join([*words[:55], *["a", "b", "c", "d", "e"]])
    third = " ".join([*words[:48], *["k", "l", "m", "n", "o", "p", "q"], *["a", "b", "c", "d", "e"]])
    firsts = first_near_duplicates([LONG, second, third])
    assert firsts[1] == 0
    assert firsts[2] == 2


@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_repeat_a_first_that_repeats_none(texts: list[str]) -> None:
    firsts = first_near_duplicates(texts)
    assert len(firsts) == len(texts)
    for at, first in enumerate(firsts):
        assert first <= at
        assert firsts[first] == first


@given(st.lists(st.text("ab ", min_size=8, max_size=24), max_size=14))
def test_nobody_alike_is_overlooked(texts: list[str]) -> None:
    """Against comparing every text with every first before it."""
    known = [_shingles(text) for text in texts]
    wanted: list[int] = []
    for at, own in enumerate(known):
        before = (n for n in range(at) if wanted[n] == n)
        wanted.append(next((n for n in before if _alike(own, known[n])), at))
    assert first_near_duplicates(texts) == wanted


def test_thousands_of_one_template_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt with 2,000 proponents that share half of their words: the common words lead to no comparison."""
    compared = []
    alike = near._alike

    def counted(*pair: Any) -> bool:
        compared.append(1)
        return alike(*pair)

    monkeypatch.setattr(near, "_alike", counted)
    texts = [f"House {n} on street {n * 7}: a painter wrote many letters to friends." for n in range(2_000)]
    texts[7] = texts[6] + " !"
    assert first_near_duplicates(texts) == [6 if n == 7 else n for n in range(2_000)]
    assert len(compared) < 2_000
