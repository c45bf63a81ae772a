"""Figures of leaving out: right where the truth is known, with intervals that hold, and worked out again from the file."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from app.demo.shipped import truth_path
from app.errors import UserError
from app.truth.agreement import agreement, datamodelling, ranks
from app.truth.outcome import FEWEST, figures, predicted_and_measured, read_outcome, write_outcome
from app.truth.plan import Halves, first_percent, groups_of
from app.web.judging.truth import told_apart
from tests.support.outcomes import PROMPTS, outcome


def test_lds_is_the_mean_of_spearmans_correlations_ties_included() -> None:
    """Two stages claim nothing of most passages: many of their sums are equal."""
    rng = np.random.default_rng(0)
    predicted, measured = rng.integers(0, 4, (20, 7)).astype(float), rng.normal(size=(20, 7))
    expected = [spearmanr(predicted[:, at], measured[:, at]).statistic for at in range(7)]
    assert agreement({"m": predicted}, measured)["m"] == pytest.approx(np.mean(expected))
    assert ranks(np.array([[3.0], [1.0], [3.0]])).tolist() == [[1.5], [0.0], [1.5]]


def test_what_predicts_nothing_agrees_with_nothing() -> None:
    measured = np.random.default_rng(0).normal(size=(8, 3))
    assert agreement({"flat": np.ones((8, 3))}, measured) == {"flat": 0.0}


@pytest.mark.parametrize("trainings", [12, 48])
def test_intervals_hold_the_mean_and_narrow_with_trainings(trainings: int) -> None:
    found = outcome(trainings)
    lds, differences = datamodelling(found.predicted, found.measured)
    for each in lds.values():
        assert each.low <= each.mean <= each.high
    assert lds["ekfac"].high - lds["ekfac"].low < 4 / trainings
    gap = differences["ekfac", "bm25"]
    assert gap.mean == pytest.approx(lds["ekfac"].mean - lds["bm25"].mean)


def test_methods_are_ordered_told_apart_and_held_against_halves() -> None:
    found = figures(outcome(40))
    assert found is not None
    assert [each.method for each in found.methods] == ["ekfac", "bm25", "random"]
    assert ("ekfac", "random") in found.apart
    assert found.halves == (["ekfac", "bm25", "random"],) * 2
    assert found.stable
    falls = {each.method: each.qld for each in found.methods}
    means = {method: fall and fall.mean for method, fall in falls.items()}
    assert means == {"ekfac": 1.5, "random": pytest.approx(0), "bm25": None}, "none trained without BM25's"


def test_predicted_against_measured_is_spearmans_over_all_pairs() -> None:
    """Each prompt in its own standard deviations, so that a prompt whose margins move much does not decide alone."""
    made = outcome(20)
    found = figures(made)
    assert found is not None
    assert list(found.foretold) == [each.method for each in found.methods]
    x, y = predicted_and_measured(made, "ekfac")
    expected = spearmanr(x.ravel(), y.ravel()).statistic
    assert found.foretold["ekfac"].mean == pytest.approx(expected)
    assert found.foretold["ekfac"].low < expected < found.foretold["ekfac"].high
    assert found.foretold["random"].low < 0.1
    assert found.by_first["ekfac"].mean > found.by_first["bm25"].mean > found.methods[1].lds.mean


def test_falls_are_compared_prompt_by_prompt() -> None:
    found = figures(outcome(20))
    assert found is not None
    assert list(found.further) == [("ekfac", "random")]
    assert found.further["ekfac", "random"].mean == pytest.approx(1.5)


def test_two_equal_methods_are_not_told_apart() -> None:
    twice = outcome(20)
    twice.predicted["gradient-dot"] = twice.predicted["ekfac"] * 3
    found = figures(twice)
    assert found is not None
    assert ("ekfac", "gradient-dot") in found.level or ("gradient-dot", "ekfac") in found.level
    said = told_apart(found)
    assert "above all others" not in said
    assert re.search(
        r"Not told apart: (EK-FAC over all and Gradient dot|Gradient dot and EK-FAC over all)\.", said
    )


def test_a_few_trainings_have_no_order() -> None:
    assert figures(outcome(FEWEST - 1)) is None
    assert figures(outcome(FEWEST)) is not None


def test_a_file_gives_the_figures_again_and_the_same_outcome_the_same_bytes(tmp_path: Path) -> None:
    file, again = tmp_path / "truth" / "demo.json.gz", tmp_path / "again.json.gz"
    write_outcome(outcome(10), file)
    write_outcome(read_outcome(file), again)
    assert file.read_bytes() == again.read_bytes()
    assert figures(read_outcome(file)) == figures(outcome(10))


def test_sums_over_thousands_of_passages_keep_their_order_in_the_file(tmp_path: Path) -> None:
    """Sums of 9,000 that differ by tenths were rounded to ties, and the page had other figures than the command."""
    made, file = outcome(10), tmp_path / "demo.json.gz"
    large = replace(made, predicted={"bm25": 9000 + made.predicted["bm25"] / 10})
    write_outcome(large, file)
    assert (ranks(read_outcome(file).predicted["bm25"]) == ranks(large.predicted["bm25"])).all()


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"PK\x03\x04 something else"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "demo.json.gz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"demo\.json\.gz"):
        read_outcome(file)


def test_each_training_draws_its_own_half_and_anybody_draws_it_again() -> None:
    halves = Halves(101, 0.5, seed=3)
    one, other = halves.kept(0), halves.kept(1)
    assert one.sum() == other.sum() == 50
    assert (one != other).any()
    assert (Halves(101, 0.5, seed=3).kept(0) == one).all()
    assert (Halves(101, 0.5, seed=4).kept(0) != one).any()


def test_the_first_percent_has_ties_by_row() -> None:
    scores = np.zeros(250)
    scores[200] = 1
    assert first_percent(scores).tolist() == [200, 0]
    assert first_percent(np.zeros(10)).tolist() == [0], "one at the least"


def test_a_group_has_no_two_prompts_of_one_relation() -> None:
    """Both would name passages of one kind, and neither's fall could be told from the other's."""
    assert groups_of(["a", "a", "b", "c", "a"], 2, 2) == [[0, 2], [1, 3]]
    assert groups_of(["a"] * PROMPTS, 8, 1) == [[0]]
    assert groups_of(["a"], 8, 0) == []


def test_the_shipped_outcome_is_of_finished_trainings_of_the_demos_corpus() -> None:
    file = truth_path()
    assert file.stat().st_size < 2_000_000
    found = read_outcome(file)
    assert len(found.trainings) == len(found.measured) >= FEWEST
    assert len({row["kept_sha256"] for row in found.trainings}) == len(found.trainings)
    order = figures(found)
    assert order is not None
    assert len(order.methods) >= 6
