"""Metrics against cases worked by hand, against an independent library, and by their properties."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.metrics import (
    DRAWN_TO,
    average_precision,
    entailed,
    estimate,
    estimates,
    paired_difference,
    precision_at,
    recall_at,
    reciprocal_rank,
)
from app.words.measures import DEPTHS

RANKINGS = st.lists(st.booleans(), max_size=30)
VALUES = st.floats(-100, 100)
NO, YES = False, True


@pytest.mark.parametrize(
    ("ranking", "relevant", "rr", "r1", "r3", "p3", "ap"),
    [
        ([], 0, 0, 0, 0, 0, 0),
        ([], 3, 0, 0, 0, 0, 0),
        ([NO, NO], 1, 0, 0, 0, 0, 0),
        ([YES], 1, 1, 1, 1, 1 / 3, 1),
        ([NO, YES, NO, YES], 2, 1 / 2, 0, 1, 1 / 3, (1 / 2 + 2 / 4) / 2),
        ([NO, NO, NO, YES], 1, 1 / 4, 0, 0, 0, 1 / 4),
        ([YES, YES, YES], 3, 1, 1, 1, 1, 1),
        # Two of four are found: what was not found counts as 0.
        ([YES, NO, YES], 4, 1, 1, 1, 2 / 3, (1 + 2 / 3) / 4),
        # A file that judged more passages than it says there are: all found are relevant.
        ([YES, YES], 0, 1, 1, 1, 2 / 3, 1),
    ],
)
def test_metrics_as_worked_by_hand(
    ranking: list[bool], relevant: int, rr: float, r1: float, r3: float, p3: float, ap: float
) -> None:
    found = (
        reciprocal_rank(ranking),
        recall_at(ranking, 1),
        recall_at(ranking, 3),
        precision_at(ranking, 3),
        average_precision(ranking, relevant),
    )
    assert found == pytest.approx((rr, r1, r3, p3, ap))


@pytest.mark.slow
def test_metrics_agree_with_ranx() -> None:
    """An independent library on a hundred random rankings of twelve, some without any correct passage."""
    from ranx import Qrels, evaluate
    from ranx import Run as RanxRun

    rng = np.random.default_rng(0)
    rankings = [list(rng.random(12) < rate) for rate in np.linspace(0, 0.7, 100)]
    missed = [int(rng.integers(0, 4)) for _ in rankings]  # relevant passages that were not retrieved
    qrels, run = {}, {}
    for n, ranking in enumerate(rankings):
        places = {f"p{rank}": int(good) for rank, good in enumerate(ranking)}
        truth = {place: 1 for place, good in places.items() if good} | {f"m{k}": 1 for k in range(missed[n])}
        qrels[f"q{n}"] = truth or {"nowhere": 1}
        run[f"q{n}"] = {place: 1.0 / (rank + 1) for rank, place in enumerate(places)}
    ours = {
        "mrr": [reciprocal_rank(each) for each in rankings],
        **{f"hit_rate@{k}": [recall_at(each, k) for each in rankings] for k in DEPTHS},
        **{f"precision@{k}": [precision_at(each, k) for each in rankings] for k in DEPTHS},
        "map": [
            average_precision(each, sum(each) + more) for each, more in zip(rankings, missed, strict=True)
        ],
    }
    theirs = evaluate(Qrels(qrels), RanxRun(run), list(ours))
    for name, values in ours.items():
        assert np.mean(values) == pytest.approx(theirs[name], abs=1e-9), name


@given(RANKINGS, st.integers(1, 40), st.integers(0, 40))
def test_metrics_stay_between_0_and_1_and_agree_with_each_other(
    ranking: list[bool], k: int, more: int
) -> None:
    ap = average_precision(ranking, sum(ranking) + more)
    for value in (reciprocal_rank(ranking), recall_at(ranking, k), precision_at(ranking, k), ap):
        assert 0 <= value <= 1
    assert recall_at(ranking, k) == (reciprocal_rank(ranking) >= 1 / k if any(ranking) else 0)
    assert recall_at(ranking, k) == (precision_at(ranking, k) > 0)
    assert recall_at(ranking, k) <= recall_at(ranking, k + 1)


@given(RANKINGS, st.randoms())
def test_the_order_of_passages_that_are_judged_alike_changes_nothing(
    ranking: list[bool], random: Random
) -> None:
    """Metrics see judgements, not passages; and recall and precision do not see the order inside the first k."""
    shuffled = list(ranking)
    random.shuffle(shuffled)
    k = max(1, len(ranking))
    assert recall_at(shuffled, k) == recall_at(ranking, k)
    assert precision_at(shuffled, k) == precision_at(ranking, k)


@given(RANKINGS.filter(bool), st.integers(0, 29))
def test_a_better_ranking_never_scores_lower(ranking: list[bool], at: int) -> None:
    """Swapping a correct passage one place up."""
    at = at % len(ranking)
    better = list(ranking)
    if at and better[at] and not better[at - 1]:
        better[at - 1], better[at] = True, False
    relevant = sum(ranking)
    assert reciprocal_rank(better) >= reciprocal_rank(ranking)
    assert average_precision(better, relevant) >= average_precision(ranking, relevant)


@given(st.lists(VALUES, min_size=1, max_size=40), st.randoms())
def test_an_interval_lies_among_its_values_and_a_mean_has_no_order(
    values: list[float], random: Random
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    found, again = estimate(values), estimate(shuffled)
    assert found is not None
    assert again is not None
    slack = 1e-9
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert min(values) - slack <= found.mean <= max(values) + slack
    assert again.mean == pytest.approx(found.mean, abs=1e-9)
    assert again.count == found.count == len(values)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=40))
def test_a_difference_turned_round_is_the_same_difference_and_ties_are_none(
    pairs: list[tuple[float, float]],
) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    one, other, tie = paired_difference(a, b), paired_difference(b, a), paired_difference(a, a)
    assert one is not None
    assert other is not None
    assert tie is not None
    assert [one.mean, one.low, one.high] == pytest.approx([-other.mean, -other.high, -other.low], abs=1e-9)
    assert [tie.mean, tie.low, tie.high] == [0, 0, 0]


@given(RANKINGS, st.integers(0, 29), st.integers(0, 29), st.integers(0, 9))
def test_passages_that_tie_may_change_places(ranking: list[bool], one: int, other: int, more: int) -> None:
    """Of two that are judged alike, it does not matter which a method that scores them alike puts first."""
    size = len(ranking)
    if size and ranking[one % size] == ranking[other % size]:
        ids = list(range(size))
        ids[one % size], ids[other % size] = ids[other % size], ids[one % size]
        swapped = [ranking[id_] for id_ in ids]
        relevant = sum(ranking) + more
        assert reciprocal_rank(swapped) == reciprocal_rank(ranking)
        assert average_precision(swapped, relevant) == average_precision(ranking, relevant)
        assert [recall_at(swapped, k) for k in DEPTHS] == [recall_at(ranking, k) for k in DEPTHS]


def test_entailment_scores_are_judged_at_the_threshold() -> None:
    """Above it, as the paper's viewer counts; exactly at it is not above."""
    assert entailed([0.5, 0.51, None, 1.0]) == [False, True, False, True]
    assert entailed([0.9, 0.95], 0.9) == [False, True]


def test_an_interval_holds_its_mean_narrows_with_prompts_and_depends_on_the_seed_alone() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.random(30).tolist(), rng.random(3_000).tolist()
    a, b = estimate(few), estimate(many)
    assert a is not None
    assert b is not None
    assert a.low < a.mean < a.high
    assert b.high - b.low < (a.high - a.low) / 5
    assert estimate(few) == a
    assert estimate(few, seed=1) != a
    assert estimate([]) is None
    assert estimate([0.25] * 9) == estimate([0.25] * 9, seed=5)  # nothing varies


def test_the_interval_is_as_wide_as_theory_says() -> None:
    """Of 400 coin throws, about 1.96 standard errors on each side."""
    values = [1.0, 0.0] * 200
    found = estimate(values)
    assert found is not None
    error = 0.5 / math.sqrt(400)
    assert found.high - found.mean == pytest.approx(1.96 * error, rel=0.1)
    assert found.mean - found.low == pytest.approx(1.96 * error, rel=0.1)


def test_the_interval_is_that_of_the_recipe_in_the_documentation() -> None:
    """docs/recompute.py draws by `default_rng(0).integers(0, n, (2000, n))`: the figures must come out the same."""
    values = np.random.default_rng(3).random(57)
    means = values[np.random.default_rng(0).integers(0, 57, (2000, 57))].mean(1)
    found = estimate(list(values))
    assert found is not None
    assert [found.low, found.high] == pytest.approx(list(np.quantile(means, [0.025, 0.975])))


def test_beyond_ten_thousand_prompts_theory_says_what_drawing_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand draws of a million prompts take a minute; of recall, of ranks and of what has long tails alike."""
    rng = np.random.default_rng(5)
    n = DRAWN_TO + 1
    for values in (
        (rng.random(n) < 0.03).tolist(),
        (1 / rng.integers(1, 60, n)).tolist(),
        rng.standard_t(3, n).tolist(),
    ):
        said = estimate(values)
        with monkeypatch.context() as patched:
            patched.setattr("app.evaluation.metrics.DRAWN_TO", n)
            drawn = estimate(values)
        assert said is not None
        assert drawn is not None
        width = drawn.high - drawn.low
        assert said.low == pytest.approx(drawn.low, abs=0.05 * width)
        assert said.high == pytest.approx(drawn.high, abs=0.05 * width)


def test_a_large_set_is_drawn_in_pieces_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(np.random.default_rng(3).random(500))
    whole = estimate(values)
    monkeypatch.setattr("app.evaluation.metrics._AT_ONCE", 10_000)
    pieces = estimate(values)
    assert whole is not None
    assert pieces is not None
    assert [pieces.mean, pieces.low, pieces.high] == pytest.approx([whole.mean, whole.low, whole.high])


def test_columns_drawn_together_equal_columns_drawn_alone() -> None:
    rng = np.random.default_rng(2)
    columns = {"a": list(rng.random(40)), "b": list(rng.random(40))}
    together = estimates({**columns, "empty": []})
    assert set(together) == {"a", "b"}
    for name, values in columns.items():
        alone = estimate(values)
        assert alone is not None
        assert [together[name].low, together[name].high] == pytest.approx([alone.low, alone.high])


def test_paired_differences_see_what_separate_intervals_hide() -> None:
    """Prompts differ much from each other, the runs by a little on each: only pairing shows it."""
    rng = np.random.default_rng(4)
    base = rng.normal(0, 10, 200)
    better = base + rng.normal(0.5, 0.2, 200)
    found = paired_difference(list(better), list(base))
    assert found is not None
    assert 0.4 < found.low < found.high < 0.6
    a, b = estimate(list(better)), estimate(list(base))
    assert a is not None
    assert b is not None
    assert a.low < b.mean < a.high
    assert paired_difference([], []) is None
    with pytest.raises(ValueError, match="same prompts"):
        paired_difference([1.0], [])
