"""The measure by which planted passages are told to be found, on rankings worked out by hand."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

FOUND = spec_from_file_location("planted", Path(__file__).parents[3] / "benchmarks" / "_planted.py")
assert FOUND
assert FOUND.loader
measure = module_from_spec(FOUND)
FOUND.loader.exec_module(measure)
area, interval = measure.area, measure.interval


def test_the_area_is_the_mean_precision_at_each_planted_passage() -> None:
    """All first: 1. One at rank 2 of two: (1/2) / 2. What is not there has no precision; -1 is no passage."""
    assert area(np.array([[3, 1, 7, 8]]), {1, 3}) == 1.0
    assert area(np.array([[7, 1, 8, -1]]), {1, 3}) == pytest.approx(0.25)
    assert area(np.array([[7, 8, 9, 5]]), {1, 3}) == 0.0
    assert area(np.array([[3, 1], [7, 8]]), {1, 3}) == 0.5
    assert area(np.array([[5, 6]]), {5, 6, 7, 8}) == 1.0, "of more than there is room for, all that could be"


def test_an_interval_draws_the_questions_anew() -> None:
    values = np.array([0.0, 1.0] * 50)
    low, high = interval(lambda chosen: float(values[list(chosen)].mean()), 100)
    assert 0.38 < low < 0.44 < 0.56 < high < 0.62
