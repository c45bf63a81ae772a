"""What chance gives: unrelated passages stay below the floor, related ones do not raise it, and counts are exact.

Of a ranking's first ten, 39 in 100 scored no more than the best of as many unrelated passages would, and stood on
the page as evidence like the others.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.retrieval.chance import Unrelated, best_of, chance_of, search_with_chance
from app.retrieval.search import open_search
from app.trackstar.config import EncodingConfig
from app.trackstar.index import TrackstarIndex
from app.words.chance import COUNTED_MOST, read_chance
from tests.support.indexes import index_of

D = 64  # 2 groups of 2 blocks of 4 × 4


def made_index(rows: np.ndarray, tmp_path: Path, **method: object) -> TrackstarIndex:
    """An index of these rows, without the model that nobody asks here."""
    config = EncodingConfig(groups=2, projection_dim=4, **method)  # type: ignore[arg-type]  # fields of several types
    return index_of(tmp_path, rows, shard=1_000, method=config)


def directions(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_lists_of_unrelated_passages_seldom_have_anything_above(tmp_path: Path) -> None:
    index = made_index(directions(6_000), tmp_path)
    asked = directions(600, seed=1)
    _, _, told = search_with_chance(open_search(index), Unrelated(index), asked, 10, 5)
    assert np.mean([bool(each.above) for each in told if each]) <= 0.05
    assert np.mean([bool(each.opponents_beyond) for each in told if each]) <= 0.05


@pytest.mark.parametrize("related", [3, 40, 600])
def test_related_passages_stand_out_however_many(tmp_path: Path, related: int) -> None:
    """A tail fitted to the query's own scores takes 600 of 6,000 related passages for chance."""
    rows, asked = directions(6_000), directions(1, seed=1)
    rows[100 : 100 + related] = 0.7 * rows[100 : 100 + related] + asked
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = made_index(rows, tmp_path)
    (_, found), low, (told,) = search_with_chance(open_search(index), Unrelated(index), asked, 3, 0)
    assert low is None
    assert told is not None
    assert told.opponents_beyond is None, "nobody asked for opponents, so nobody counted them"
    scores = np.concatenate([shard.astype(np.float32) for shard in index.rows]) @ asked[0]
    assert told.above == (scores > told.floor).sum() >= related
    assert all(100 <= row < 100 + related for row in found[0])


def test_more_than_are_ever_counted_is_said_as_that_many(tmp_path: Path) -> None:
    rows, asked = directions(50_000), directions(1, seed=1)
    rows[:3_000] = asked
    index = made_index(rows, tmp_path)
    _, _, (told,) = search_with_chance(open_search(index), Unrelated(index), asked, 5, 0)
    assert told is not None
    assert told.above == COUNTED_MOST


def test_nothing_is_said_of_scores_that_have_no_common_spread(tmp_path: Path) -> None:
    """Without unit norm a passage with a long gradient scores high whatever it says; and of 50 passages none tells."""
    long = directions(3_000) * np.random.default_rng(0).lognormal(0, 2, (3_000, 1)).astype(np.float32)
    for index in (
        made_index(long, tmp_path / "long", unit_norm=False),
        made_index(directions(50), tmp_path / "few"),
    ):
        (scores, _), _, told = search_with_chance(
            open_search(index), Unrelated(index), directions(2, seed=1), 4, 2
        )
        assert told == [None, None]
        assert scores.shape == (2, 4), "the ranking is there all the same"


def test_blank_passages_are_no_part_of_the_bell(tmp_path: Path) -> None:
    """Half of a corpus of empty lines would halve the spread, and everything else stand out."""
    rows = directions(4_000)
    whole = Unrelated(made_index(rows, tmp_path)).of(directions(1, seed=1))[0]
    rows[::2] = 0
    half = Unrelated(made_index(rows, tmp_path)).of(directions(1, seed=1))[0]
    assert whole is not None
    assert half is not None
    assert half.spread == pytest.approx(whole.spread, rel=0.15)
    assert half.passages == 2_000


def test_a_query_without_any_direction_has_no_floor() -> None:
    assert chance_of(np.zeros(5_000), 5_000) is None
    assert chance_of(np.random.default_rng(0).normal(size=199), 199) is None


def test_the_bell_holds_every_score_of_the_sample() -> None:
    scores = np.random.default_rng(0).standard_t(2, size=1_000)
    told = chance_of(scores, 10**8)
    assert told is not None
    assert sum(told.counts) == told.sample == 1_000
    assert len(told.edges) == len(told.counts) + 1
    assert told.edges[0] < told.opponent_floor < told.centre < told.floor < told.edges[-1]
    assert best_of(10**9) > best_of(10**8) > best_of(1_000) > 3


def test_what_a_file_says_is_taken_only_whole() -> None:
    told = chance_of(np.random.default_rng(0).normal(size=500), 500)
    assert told is not None
    told = replace(told, above=3)
    assert read_chance(told.as_dict()) == told
    for change in (
        {"floor": float("nan")},
        {"above": -1},
        {"above": True},
        {"edges": [0.0]},
        {"counts": "many"},
        {"more": 1},
        {"centre": None},
    ):
        assert read_chance({**told.as_dict(), **change}) is None, change
    assert read_chance(None) is None
    assert read_chance({"floor": 0.5}) is None
