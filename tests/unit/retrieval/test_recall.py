"""How many candidates are tried before a kind is refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from app.retrieval.ranking import ScoresAndRows
from app.retrieval.recall import KnownBest, both_ways, measured
from app.trackstar.index import TrackstarIndex
from tests.support.indexes import index_of

PLACE = 2_999  # of the best row among what the codes find


def _recall(passages: int) -> Any:
    index = cast(TrackstarIndex, SimpleNamespace(manifest=SimpleNamespace(passages=passages)))

    def scan(queries: np.ndarray, k: int) -> ScoresAndRows:
        return np.zeros((len(queries), k), np.float32), np.tile(np.arange(k), (len(queries), 1))

    return measured(index, scan, [KnownBest(np.zeros((1, 4), np.float32), [(np.array([PLACE]), 1)])])


def test_of_many_rows_a_hundredth_may_be_ranked_again() -> None:
    """A code tells the best less well from a million others than from a thousand, and reading three thousand of them is still
    little; of a hundred thousand it would be a part of what the codes are to save."""
    many, fewer = _recall(640_000), _recall(100_000)
    assert many.enough
    assert many.candidates == 3_200
    assert not fewer.enough
    assert fewer.candidates == 1_600


def test_both_ways_round_are_found_in_one_pass(tmp_path: Path) -> None:
    """What a row is nearest to, and what it is farthest from: by brute force over all rows, without the row itself."""
    made = np.random.default_rng(0).normal(size=(300, 16))
    made[5] = 0
    index = index_of(
        tmp_path, (made / np.maximum(1e-9, np.linalg.norm(made, axis=1, keepdims=True))).astype(np.float32)
    )
    drawn = np.array([3, 40, 77])
    queries = index.take(drawn)
    scores = queries @ index.take(np.arange(index.manifest.passages)).T
    blank = index.manifest.zero_rows
    for sign, known in zip((1, -1), both_ways(index, queries, drawn), strict=True):
        assert np.array_equal(known.queries, sign * queries)
        for own, row, (best, k) in zip(sign * scores, drawn, known.best, strict=True):
            own[[row, *blank]] = -np.inf
            assert k == 10
            assert set(np.argsort(-own)[:10]) <= set(best)
