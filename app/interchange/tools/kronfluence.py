"""What kronfluence saves: `pairwise_scores.safetensors`, queries by passages, over all modules or for each of them.

Scores of modules, and of tokens, add up to the score of the passage.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.errors import UserError
from app.interchange.records import Line
from app.interchange.tools.arrays import is_array, metadata_of, read_arrays
from app.interchange.tools.matrices import Places, records_of

FILE = "pairwise_scores.safetensors"
_MARKS = ("compute_per_module_scores", "compute_per_token_scores")


def _file(path: Path) -> Path:
    return path / FILE if path.is_dir() else path


def recognises(path: Path) -> bool:
    """A file that says so of itself, or a folder with one."""
    file = _file(path)
    try:
        return file.is_file() and is_array(file) and any(mark in metadata_of(file) for mark in _MARKS)
    except Exception:  # no safetensors file: another format's
        return False


def read(path: Path, places: Places) -> Iterator[Line]:
    """The scores, summed over modules and tokens where they are kept apart.

    Raises:
        UserError: the modules' scores have different shapes, or they fit neither prompts nor corpus.
    """
    arrays = read_arrays(_file(path))
    shapes = {each.shape for each in arrays.values()}
    if len(shapes) != 1:
        raise UserError(
            f"The modules' scores have {len(shapes)} shapes.",
            file=_file(path),
            remedy="Compute pairwise scores in one run.",
        )
    modules = list(arrays.values())  # one is given back as it is, to the bit
    scores = modules[0] if len(modules) == 1 else np.stack(modules).sum(axis=0, dtype=np.float64)
    if scores.ndim == 3:
        scores = np.asarray(scores.sum(axis=2, dtype=np.float64))
    return records_of(scores, _file(path), places, rows="queries")
