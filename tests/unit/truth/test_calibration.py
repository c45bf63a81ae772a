"""What a sum of influences is worth: against groups whose slope and scatter are known."""

from dataclasses import replace

import pytest

from app.evaluation.metrics import Estimate
from app.truth.calibration import Calibration, Influences, calibrate, log_probability
from app.truth.outcome import Outcome
from tests.support.outcomes import SCATTER, SLOPE, outcome, ticked

KEPT = {
    "method": "trackstar+ekfac",
    "passages": [["a", "b"], ["c"], *([[]] * 10)],
    "scores": [[3.0, 1.0], [-2.0], *([[]] * 10)],
}


def known(groups: int) -> Outcome:
    return replace(outcome(6), influences=KEPT, ticked=ticked(groups))


def test_slope_scatter_and_rank_correlation_are_those_that_made_the_groups() -> None:
    found = calibrate(known(200))
    assert found is not None
    assert found.slope.low < SLOPE < found.slope.high
    assert found.slope.high - found.slope.low < 0.1
    assert found.scatter == pytest.approx(SCATTER, rel=0.15)
    assert 0.9 < found.spearman.low < found.spearman.mean < found.spearman.high <= 1
    assert (found.sizes, found.trainings, found.method) == ((1, 20), 4, "trackstar+ekfac")
    assert (found.groups, found.halves) == (200, False)


def test_a_prediction_covers_single_trainings_as_often_as_it_says() -> None:
    found = calibrate(known(200))
    assert found is not None
    covered = 0
    for group in ticked(1000)[200:]:
        told = found.change(group["predicted"])
        covered += told.low <= group["measured"] <= told.high
    assert 0.92 < covered / 800 < 0.98


def test_the_interval_is_of_the_slope_and_of_the_scatter_together() -> None:
    made = Calibration(
        "x", Estimate(0.5, 0.4, 0.6, 50), 0.2, Estimate(0, 0, 0, 50), [], [], (1, 2), 50, 1, False
    )
    nothing, much = made.change(0.0), made.change(10.0)
    assert nothing.mean == 0
    assert nothing.low == pytest.approx(-1.96 * 0.2)
    assert much.mean == pytest.approx(-5)
    assert much.high - much.mean == pytest.approx((1.0 + (1.96 * 0.2) ** 2) ** 0.5)


def test_without_small_groups_random_halves_say_it() -> None:
    """Their margins follow the sums of what stayed in, unit for unit; log p follows the margin where that is low."""
    made = outcome(40)
    low = replace(made, measured=made.measured - 8, influences={**KEPT, "method": "ekfac"})
    found = calibrate(low)
    assert found is not None
    assert found.halves
    assert (found.groups, found.sizes) == (40, (500, 500))
    assert found.slope.mean == pytest.approx(1, abs=0.1)
    assert found.slope.low < 1 < found.slope.high
    assert found.scatter == pytest.approx(0.3, rel=0.2)
    assert found.spearman.low > 0.8


def test_too_few_groups_have_no_slope() -> None:
    assert calibrate(known(5)) is None
    assert calibrate(replace(outcome(6), ticked=ticked(100))) is None, (
        "whose influences they are is not known"
    )


def test_sums_are_of_passages_that_something_is_claimed_of() -> None:
    found = Influences(known(20))
    assert found.known("fact-0", ["a", "b", "z"]) == (4.0, 2)
    assert found.known("fact-1", ["a"]) == (0.0, 0)
    assert found.known("elsewhere", ["a"]) is None
    assert found.most_moved(["a", "c"], 5) == ["fact-0", "fact-1"]
    assert Influences(outcome(6)).known("fact-0", ["a"]) is None


def test_a_margin_is_a_probability() -> None:
    assert log_probability(outcome(3).everything)[0] == pytest.approx(-0.6931, abs=1e-4)
