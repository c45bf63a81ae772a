"""A matrix of scores in a file of its own: what dattri, TRAK and LogIX save, and `numpy.save` of anything."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.errors import UserError
from app.interchange.records import Line
from app.interchange.tools.arrays import is_array, read_arrays
from app.interchange.tools.matrices import Places, records_of


def recognises(path: Path) -> bool:
    """A file that holds arrays and nothing else."""
    return path.is_file() and is_array(path)


def read(path: Path, places: Places) -> Iterator[Line]:
    """The only matrix of the file.

    Raises:
        UserError: there are several, or its shape does not fit.
    """
    matrices = {name: each for name, each in read_arrays(path).items() if each.ndim == 2}
    if len(matrices) != 1:
        names = ", ".join(f"“{name}”" for name in matrices)
        raise UserError(
            f"The file has {len(matrices)} matrices{f': {names}' if names else ''}.",
            file=path,
            remedy="Save one matrix of scores, queries by passages or passages by queries.",
        )
    return records_of(np.asanyarray(next(iter(matrices.values()))), path, places)
