"""Rank-biased overlap has the properties its name promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.marking.overlap import rank_biased_overlap, shared

rankings = st.lists(st.integers(0, 30), unique=True, max_size=20)


@given(rankings, rankings)
def test_it_is_symmetric_and_between_nothing_and_all(a: list[int], b: list[int]) -> None:
    value = rank_biased_overlap(a, b)
    assert value == rank_biased_overlap(b, a)
    assert value is None if not (a and b) else 0 <= (value or 0) <= 1
    assert shared(a, b) == shared(b, a)


@given(rankings.filter(bool))
def test_equal_rankings_overlap_wholly_and_strangers_not_at_all(a: list[int]) -> None:
    assert rank_biased_overlap(a, a) == pytest.approx(1)
    assert rank_biased_overlap(a, [x + 100 for x in a]) == 0


def test_early_ranks_weigh_more() -> None:
    """Two lists that agree at the top are more alike than two that agree at the bottom."""
    a = [1, 2, 3, 4, 5, 6]
    top = rank_biased_overlap(a, [1, 2, 3, 14, 15, 16])
    bottom = rank_biased_overlap(a, [11, 12, 13, 4, 5, 6])
    assert top is not None
    assert bottom is not None
    assert top > bottom > 0


def test_the_value_agrees_with_the_definition_summed_by_hand() -> None:
    """Two items each, the second shared from depth two on: p=0.5 gives 1/2·(0/1·½ + 1/2·¼)/½ + 1/2·¼."""
    assert rank_biased_overlap([1, 2], [2, 3], p=0.5) == pytest.approx(
        (0.5 / 0.5) * (0.5 * 0.25) + 0.5 * 0.25
    )


def test_a_short_list_that_begins_a_long_one_is_not_punished_for_ending() -> None:
    assert rank_biased_overlap([1, 2, 3], [1, 2, 3, 4, 5, 6]) == pytest.approx(1)
