"""Arrays as they are kept in a row of a table: a page that needs one has it as soon as its bytes are there."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> bytes:
    """The array with its type and shape, as `numpy.save` writes it. Not compressed: to unpack it would take longer than to
    read it."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def unpacked(data: bytes) -> NDArray[Any]:
    """What was packed; a view of these bytes, which nobody may write to."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    shape, in_columns, kind = np.lib.format.read_array_header_1_0(file)
    values = np.frombuffer(data, kind, offset=file.tell())
    return values.reshape(shape, order="F" if in_columns else "C")


def narrowest(numbers: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in as few bytes as they fit in."""
    least, most = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
            return numbers.astype(kind)
    return numbers.astype(np.int64)
