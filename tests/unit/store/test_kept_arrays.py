"""An array comes back as it was, without being copied."""

import numpy as np
import pytest

from app.store.kept_arrays import narrowest, packed, unpacked


@pytest.mark.parametrize(
    "array",
    [
        np.array([3, 4, 6, 7], np.int32),
        np.array([126, 127, -128], np.int8),
        np.zeros((0,), np.int8),
        np.array([[1.5, np.nan], [0.0, -2.0]]),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([True, False]),
    ],
)
def test_what_is_unpacked_is_what_was_packed(array: np.ndarray) -> None:
    data = packed(array)
    found = unpacked(data)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert np.array_equal(found, array, equal_nan=array.dtype == np.float64)
    assert not found.size or np.shares_memory(found, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("array", [np.arange(-2, 1_000_000, dtype=np.int32), np.array([5], np.int64)])
def test_numbers_that_count_up_take_no_room(array: np.ndarray) -> None:
    """The ids and places of a million prompts were read for every page, ten megabytes, and said nothing."""
    data = packed(array)
    assert len(data) < 60
    found = unpacked(data)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("most", "kind"), [(127, np.int8), (128, np.int16), (40_000, np.int32), (1 << 40, np.int64)]
)
def test_numbers_take_the_bytes_that_they_need(most: int, kind: type) -> None:
    assert narrowest(np.array([0, most])).dtype == kind
    assert narrowest(np.array([-most - 1, 0])).dtype == kind
