"""The words of a corpus and their numbers, in files that are mapped: nobody holds half a million of them as strings."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np


class Vocabulary:
    """
    Args:
        letters: (bytes,) uint8 the words in the order of their bytes, one after the other in UTF-8.
        ends: (words + 1,) int64 where each of these ends; the first is 0.
        numbers: (words,) int32 the number of each.
    """

    FILES = ("letters", "ends", "numbers")

    def __init__(self, letters: np.ndarray, ends: np.ndarray, numbers: np.ndarray) -> None:
        self._letters, self._ends, self._numbers = letters, ends, numbers

    @classmethod
    def of(cls, numbers: Mapping[str, int]) -> Self:
        """Words with their numbers."""
        spelled = sorted((_bytes(word), number) for word, number in numbers.items())
        letters = np.frombuffer(b"".join(word for word, _ in spelled), np.uint8)
        ends = np.cumsum([0, *(len(word) for word, _ in spelled)])
        return cls(letters, ends, np.array([number for _, number in spelled], np.int32))

    def number(self, word: str) -> int:
        """The number of a word; −1 where it is not known."""
        wanted = _bytes(word)
        at = bisect_left(range(len(self._numbers)), wanted, key=self._spelled)
        known = at < len(self._numbers) and self._spelled(at) == wanted
        return int(self._numbers[at]) if known else -1

    def save(self, directory: Path) -> None:
        """Write it into a directory, in files of its own."""
        keep(directory, self.FILES, (self._letters, self._ends, self._numbers))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What `save` wrote, mapped.

        Raises:
            FileNotFoundError: nothing was.
        """
        return cls(*mapped(directory, cls.FILES))

    def _spelled(self, at: int) -> bytes:
        return self._letters[self._ends[at] : self._ends[at + 1]].tobytes()


def keep(directory: Path, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    """Write arrays into a directory, each to a file of its name."""
    for name, array in zip(names, arrays, strict=True):
        np.save(directory / f"{name}.npy", array, allow_pickle=False)


def mapped(directory: Path, names: Sequence[str]) -> list[np.ndarray]:
    """What `keep` wrote; nothing is read before it is asked for.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    files = (directory / f"{name}.npy" for name in names)
    return [np.asarray(np.load(file, mmap_mode="r", allow_pickle=False)) for file in files]


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
