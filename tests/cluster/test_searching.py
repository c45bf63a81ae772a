"""Rows spread over holders are found as if they lay in one place; what was not looked at is stated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cluster.searching import ClusterSearch, Holder
from app.errors import UserError
from app.retrieval.search import ExactSearch
from app.trackstar.index import IndexPlace, TrackstarIndex
from tests.support.indexes import index_of
from tests.support.members import killed_process

ROWS, WIDTH, HOLDERS = 1_000, 32, 4


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TrackstarIndex:
    """Rows of few different values, so that many score alike, some of them in different hands; some are blank."""
    rows = np.random.default_rng(0).integers(-1, 2, (ROWS, WIDTH)).astype(np.float32)
    rows[500:750] = rows[0:250]  # every one of these ties with one that another holds
    rows[[3, 251, 600, 999]] = 0
    return index_of(tmp_path_factory.mktemp("spread") / "index", rows, shard=125)


@pytest.fixture(scope="module")
def spread(ray: Any, index: TrackstarIndex) -> ClusterSearch:
    return ClusterSearch(ray, index, HOLDERS, "cpu")


@pytest.mark.parametrize("opponents", [False, True])
@pytest.mark.parametrize("k", [1, 10, 300, ROWS + 5])
def test_holders_find_what_one_process_finds(
    index: TrackstarIndex, spread: ClusterSearch, k: int, opponents: bool
) -> None:
    """Scores to the bit, rows and the order of equal ones; and k beyond what one holder has."""
    queries = np.random.default_rng(1).integers(-2, 3, (5, WIDTH)).astype(np.float32)
    scores, rows = spread.search(queries, k, opponents=opponents)
    wanted = ExactSearch(index).search(queries, k, opponents=opponents)
    np.testing.assert_array_equal(rows, wanted[1])
    np.testing.assert_array_equal(scores, wanted[0])
    assert spread.missed() == []


def test_who_is_gone_is_stated_and_asked_again_once_it_is_back(
    ray: Any, index: TrackstarIndex, spread: ClusterSearch
) -> None:
    """The others' rows are answered at once, without waiting for it."""
    queries = np.random.default_rng(2).standard_normal((2, WIDTH)).astype(np.float32)
    dead = spread.seats[1]
    killed_process(ray, dead.holder)
    _, rows = spread.search(queries, 20)
    low, high = dead.rows
    assert spread.missed() == [dead.rows] == [(250, 500)]
    assert spread.missed() == []
    _, all_rows = ExactSearch(index).search(queries, ROWS)
    for got, ranking in zip(rows, all_rows, strict=True):
        assert list(got) == [row for row in ranking if not low <= row < high][:20]
    spread.wait(60)
    _, rows = spread.search(queries, 20)
    np.testing.assert_array_equal(rows, all_rows[:, :20])
    assert spread.missed() == []


def test_another_index_at_the_same_place_is_refused(tmp_path: Path) -> None:
    """A machine with an older copy would answer with other passages' rows."""
    index_of(tmp_path / "index", np.eye(WIDTH, dtype=np.float32))
    with pytest.raises(UserError, match="is another than the one that is asked"):
        Holder(IndexPlace(tmp_path / "index", "0" * 64), 0, 1, "cpu")
