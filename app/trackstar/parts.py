"""Long sums over examples, part by part, each part kept in a file: what was stopped goes on after its last whole part."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.trackstar.shards import drop_note, keep_rows, whole_shard

BATCHES = 8  # of a part: a minute's work for a model that a laptop can hold
ROWS = 512  # at most, that a part is small in memory


def cut(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Rows in order of length, so that a part's batches are full, cut into parts of some batches each."""
    parts: list[list[int]] = []
    tokens = 0
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        tokens += lengths[row]
        if not parts or tokens > BATCHES * batch_tokens or len(parts[-1]) >= ROWS:
            parts.append([])
            tokens = lengths[row]
        parts[-1].append(row)
    return parts


@dataclass(frozen=True)
class Parts:
    """Arrays of a fit by name and number.

    Args:
        directory: where they are kept; None: nowhere, each is made anew.
    """

    directory: Path | None = None

    def each(
        self,
        name: str,
        parts: Sequence[Sequence[int]],
        make: Callable[[Iterable[Sequence[int]]], Iterator[np.ndarray]],
        done: Callable[[int], None],
    ) -> Iterator[np.ndarray]:
        """The array of each part, in order: made, or as an interrupted run kept it.

        Args:
            make: the arrays of parts, in order; it may read some parts ahead.
            done: called with the number of a part's rows.
        """
        kept = {number for number in range(len(parts)) if self._is_kept(name, number)}
        made = make(part for number, part in enumerate(parts) if number not in kept)
        for number, part in enumerate(parts):
            if self.directory is None:
                array = next(made)
            else:
                file = self._file(self.directory, name, number)
                if number not in kept:
                    keep_rows(file, 0, next(made))
                array = np.load(file)
            done(len(part))
            yield array

    def take(self, name: str, parts: Sequence[Sequence[int]], start: int, stop: int) -> np.ndarray | None:
        """Rows `start` to `stop` of what `each` made for all rows, (stop - start, d); None where it kept nothing."""
        if self.directory is None or not self._file(self.directory, name, 0).is_file():
            return None
        out: np.ndarray | None = None
        for number, part in enumerate(parts):
            places = [(at, row - start) for at, row in enumerate(part) if start <= row < stop]
            if places:
                kept = np.load(self._file(self.directory, name, number), mmap_mode="r")
                out = np.empty((stop - start, kept.shape[1]), kept.dtype) if out is None else out
                out[[row for _, row in places]] = kept[[at for at, _ in places]]
        return out

    def drop(self) -> None:
        """Removes all of them."""
        if self.directory is not None:
            for file in self.directory.glob("fitting-*.npy"):
                drop_note(file)
                file.unlink()

    def _is_kept(self, name: str, number: int) -> bool:
        return (
            self.directory is not None and whole_shard(self._file(self.directory, name, number)) is not None
        )

    @staticmethod
    def _file(directory: Path, name: str, number: int) -> Path:
        return directory / f"fitting-{name}-{number:05d}.npy"
