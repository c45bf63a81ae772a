"""Arrays out of files, without running anything that is in them: `.npy`, safetensors, and tensors of `torch.save`."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from app.errors import UserError

NUMPY, ZIP = b"\x93NUMPY", b"PK\x03\x04"
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; of one without names, under an empty one. `.npy` is memory-mapped.

    Raises:
        UserError: it is damaged, or holds something other than arrays.
    """
    with file.open("rb") as stream:
        start = stream.read(8)
    try:
        if start.startswith(NUMPY):
            return {"": np.load(file, mmap_mode="r", allow_pickle=False)}
        if start.startswith(ZIP):
            return _torch(file)
        return _safetensors(file)
    except (
        OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, IndexError, SafetensorError,
        pickle.UnpicklingError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise UserError(
            f"No array can be read from it: {error}.",
            file=file,
            remedy="Save the scores as one array with numpy.save, safetensors or torch.save.",
        ) from None


def is_array(file: Path) -> bool:
    """Whether a file begins as one of those that `read_arrays` reads."""
    with file.open("rb") as stream:
        start = stream.read(9)
    if start.startswith(ZIP):
        try:
            with zipfile.ZipFile(file) as archive:
                return any(name.endswith("/data.pkl") for name in archive.namelist())
        except zipfile.BadZipFile:
            return False
    return start.startswith(NUMPY) or (len(start) == 9 and start[8:] == b"{" and start[3:8] == b"\0" * 5)


def metadata_of(file: Path) -> dict[str, str]:
    """What a safetensors file says of itself."""
    with safe_open(file, "np") as tensors:
        return dict(tensors.metadata() or {})


def _safetensors(file: Path) -> dict[str, np.ndarray]:
    with safe_open(file, "np") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118


def _torch(file: Path) -> dict[str, np.ndarray]:
    """A tensor, or a flat dictionary of them, as `torch.save` writes it (its zip format, little-endian)."""
    with zipfile.ZipFile(file) as archive:
        name = next(each for each in archive.namelist() if each.endswith("/data.pkl"))
        with archive.open(name) as stream:
            found = _Tensors(stream, archive, name.removesuffix("data.pkl")).load()
    named = found if isinstance(found, dict) else {"": found}
    arrays = {str(key): each for key, each in named.items() if isinstance(each, np.ndarray)}
    if not arrays:
        raise ValueError("there is no tensor in it")
    return arrays


class _Tensors(pickle.Unpickler):
    """Reads tensors and nothing else: any other name in the pickle is refused, so nothing of it runs."""

    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(stream)
        self._archive, self._prefix = archive, prefix

    def find_class(self, module: str, name: str) -> Any:
        """The few names that a tensor needs."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> tuple[str, np.ndarray]:
        """The numbers of a storage."""
        _, kind, key, _, count = pid
        data = self._archive.read(f"{self._prefix}data/{key}")
        return kind, np.frombuffer(data, _STORAGES[kind], count)


def _tensor(
    storage: tuple[str, np.ndarray], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    kind, numbers = storage
    if kind == "BFloat16Storage":  # the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if offset < 0 or min(stride, default=0) < 0 or (0 not in size and last >= len(numbers)):
        raise ValueError("a tensor reaches beyond its numbers")
    bytes_ = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, bytes_, writeable=False)
