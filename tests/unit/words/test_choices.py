"""Which choice a model takes depends on the rule; both are told, and neither is hidden behind the other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.words.choices import RULES, TOKEN, TOTAL, Weighed, fits, read_weighed

LOGS = st.floats(-500, 0)
CHOICES = st.lists(st.tuples(LOGS, st.integers(1, 60)), min_size=2, max_size=6)


def weighed(by: str, *choices: tuple[float, int]) -> Weighed:
    return Weighed(by, tuple(log for log, _ in choices), tuple(n for _, n in choices))


def test_a_short_ending_has_it_easier_by_total_probability_and_not_per_token() -> None:
    short, long = (math.log(0.01), 1), (math.log(0.5) * 8, 8)
    assert weighed(TOTAL, short, long).chosen == 0, "0.01 against 0.0039"
    assert weighed(TOKEN, short, long).chosen == 1, "0.01 against 0.5 a token"
    assert weighed(TOTAL, short, long).factor == pytest.approx(2.56)
    assert weighed(TOKEN, short, long).factor == pytest.approx(50)


def test_of_equally_likely_choices_the_first_is_taken() -> None:
    assert weighed(TOTAL, (-3.0, 2), (-3.0, 2)).order() == [0, 1]
    assert weighed(TOTAL, (-3.0, 2), (-3.0, 2)).factor == 1


@given(CHOICES, st.sampled_from(list(RULES)))
def test_shares_and_order_agree_whatever_the_probabilities(choices: list[tuple[float, int]], by: str) -> None:
    found = weighed(by, *choices)
    assert sum(found.shares) == pytest.approx(1)
    assert max(found.shares) == found.shares[found.chosen]
    assert found.factor >= 1
    assert found.best_but(found.chosen) == found.order()[1]
    assert sorted(found.order()) == list(range(len(choices)))


@given(CHOICES, st.sampled_from(list(RULES)))
def test_what_is_written_is_read(choices: list[tuple[float, int]], by: str) -> None:
    found = weighed(by, *choices)
    assert read_weighed(found.as_dict()) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"by": "luck"},
        {"logs": [-1.0]},
        {"logs": [-1.0, 0.5]},
        {"logs": [-1.0, float("nan")]},
        {"logs": [-1, -2]},
        {"tokens": [1, 0]},
        {"tokens": [1, True]},
        {"more": 1},
    ],
)
def test_anything_else_is_nothing(changes: dict[str, object]) -> None:
    """A file may hold anything under the name: it is kept as it is then, and no page shows it as probabilities."""
    good = {"by": TOTAL, "logs": [-1.0, -2.0], "tokens": [1, 2]}
    assert read_weighed(good) is not None
    assert read_weighed(good | changes) is None
    assert read_weighed("total") is None


def test_weights_of_other_choices_are_not_these() -> None:
    assert fits(["a", "b"], weighed(TOTAL, (-1.0, 1), (-2.0, 1)))
    assert not fits(["a", "b", "c"], weighed(TOTAL, (-1.0, 1), (-2.0, 1)))
    assert not fits(None, weighed(TOTAL, (-1.0, 1), (-2.0, 1)))
