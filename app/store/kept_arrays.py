"""Arrays as they are kept in a row of a table: a page that needs one has it as soon as its bytes are there."""

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTED = b"from, to, type: "


def packed(array: NDArray[Any]) -> bytes:
    """The array with its type and shape, as `numpy.save` writes it. Not compressed: to unpack it would take longer than to
    read it. Of whole numbers that count up by one, as ids and places mostly do, the first and the last are enough."""
    if _counts_up(array):
        return COUNTED + json.dumps([int(array[0]), int(array[-1]), array.dtype.str]).encode()
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def unpacked(data: bytes) -> NDArray[Any]:
    """What was packed, which nobody may write to: a view of these bytes."""
    if data.startswith(COUNTED):
        first, last, kind = json.loads(data.removeprefix(COUNTED))
        counted = np.arange(first, last + 1, dtype=kind)
        counted.flags.writeable = False
        return counted
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    shape, in_columns, kind = np.lib.format.read_array_header_1_0(file)
    values = np.frombuffer(data, kind, offset=file.tell())
    return values.reshape(shape, order="F" if in_columns else "C")


def _counts_up(array: NDArray[Any]) -> bool:
    if array.ndim != 1 or array.dtype.kind != "i" or not len(array):
        return False
    # Both: the difference of two small numbers may itself be too large for their type.
    return int(array[-1]) - int(array[0]) == len(array) - 1 and bool((np.diff(array) == 1).all())


def narrowest(numbers: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in as few bytes as they fit in."""
    least, most = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
            return numbers.astype(kind)
    return numbers.astype(np.int64)
