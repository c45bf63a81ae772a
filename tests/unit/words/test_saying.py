"""Relations are said in words."""

import pytest

from app.words.saying import from_log, relation_name, score, undirected


@pytest.mark.parametrize(
    ("relation", "said"),
    [("place_of_birth", "place of birth"), ("P19", "place of birth"), ("P99999999", "P99999999"), (None, "")],
)
def test_a_relation_is_said_in_words(relation: str | None, said: str) -> None:
    """T-REx and the paper's results name relations by Wikidata's numbers, which nobody knows by heart."""
    assert relation_name(relation) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (107_792.201, "107.8k"),
        (-2_346_000.0, "−2.346M"),
        (999.5, "999.500"),
        (0.4121, "0.412"),
        (0.0, "0.000"),
        (3.32e-05, "3.3·10⁻⁵"),
        (None, "–"),
        (7.1e13, "71T"),
    ],
)
def test_a_score_has_the_digits_that_say_something(value: float | None, said: str) -> None:
    """EK-FAC's influences are hundreds of thousands, and nobody reads their thousandths."""
    assert score(value) == said


def test_a_logarithm_is_said_as_a_probability() -> None:
    assert (from_log(-0.6931), from_log(0.0), from_log(-20)) == ("50 %", "100 %", "less than 0.01 %")


def test_a_name_cannot_turn_round_the_sentence_it_stands_in() -> None:
    assert undirected("run \u202e\u2067 of עברית") == "run  of עברית"
