"""The rows of an index on disk: files mapped into memory for whoever scans them, read in few runs for whoever wants some.

Mapping takes no time and no memory; the system brings the pages and takes them back. A scan looks at all rows where they
lie. Single rows are read, not mapped, so that what was once looked at is not held.
"""

import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from mmap import MADV_WILLNEED
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.trackstar.checksums import Checksums, damaged
from app.trackstar.manifest import IndexManifest, Shard
from app.trackstar.placed import PlacedShards, placed_shards

NEAR = 1 << 16  # bytes between two rows that the disk reads along: a second read costs more
HEADER = 128  # bytes before the rows in a file that NumPy wrote, whatever their number


class MappedRows:
    """Rows in files, `(rows, width)` each, in order.

    As many files stay mapped as half of the address space and of the handles that the process may have allow; beyond
    that they come and go: slower, and right.

    Args:
        shards: the files, with their rows.
        checksums: which have every file; each is compared before it is first looked at.
        placed: where files lie that are not here; each comes when it is looked at.
    """

    def __init__(
        self,
        directory: Path,
        shards: Sequence[Shard],
        width: int,
        checksums: Checksums,
        dtype: type[Any] = np.float16,
        placed: PlacedShards | None = None,
    ) -> None:
        self.width, self.dtype = width, np.dtype(dtype)
        self.starts = np.cumsum([0, *(shard.rows for shard in shards)])
        self._directory, self._shards, self.checksums = directory, list(shards), checksums
        self._placed, self._numbers = placed, {shard: at for at, shard in enumerate(self._shards)}
        self._mapped: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self._most = self._room()
        self._offsets = [self._measured(shard) for shard in self._shards]

    def __len__(self) -> int:
        return len(self._shards)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> np.ndarray:
        """The rows of one file, mapped.

        Raises:
            UserError: it is damaged; it is named.
        """
        self._bring(number)
        with self._lock:
            if number not in self._mapped:
                while len(self._mapped) >= self._most:
                    self._mapped.popitem(last=False)
                self._mapped[number] = self._map(self._shards[number])
            self._mapped.move_to_end(number)
            return self._mapped[number]

    def check(self) -> None:
        """Compare the checksums of all files that were not compared yet, before all are looked at. What comes from elsewhere is
        compared as it comes.

        Raises:
            UserError: one is damaged; it is named.
        """
        if not self._placed:
            self.checksums.compare([shard.file for shard in self._shards])

    def gather(self, done: Callable[[int], None] = lambda files: None) -> None:
        """Have all files here.

        Args:
            done: called with the number of files that came.

        Raises:
            UserError: there is room for some only, or one cannot come.
        """
        if self._placed and self._placed.room:
            raise UserError(
                "Only some of the index's shards are kept here.",
                file=self._directory,
                field="room",
                remedy="Remove it, and fetch it without --room.",
            )
        for number in range(len(self)):
            self._bring(number)
            done(1)

    @property
    def here(self) -> list[str]:
        """The files that are here."""
        return [
            shard.file
            for shard in self._shards
            if not self._placed or (self._directory / shard.file).is_file()
        ]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some of the rows, (m, width) as stored; `rows` (m,) is ascending.

        Raises:
            UserError: a file that has one of them is damaged; it is named.
        """
        taken = np.empty((len(rows), self.width), dtype=self.dtype)
        files = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(files):
            first, last = np.searchsorted(files, (number, number + 1))
            self._read(int(number), rows[first:last] - self.starts[number], taken[first:last])
        return taken

    def _read(self, number: int, rows: np.ndarray, into: np.ndarray) -> None:
        """Rows (m,) of one file into (m, width): those that follow each other at once."""
        shard, row_bytes = self._shards[number], self.width * self.dtype.itemsize
        self._bring(number)
        places = (self._offsets[number] + rows * row_bytes).tolist()
        room, steps = memoryview(into.view(np.uint8).data).cast("B"), np.diff(rows)
        file = os.open(self._directory / shard.file, os.O_RDONLY)
        try:
            # All are under way before the first is waited for.
            for first, last in _runs(steps * row_bytes > NEAR):
                _will_read(file, places[first], places[last] - places[first] + row_bytes)
            for first, last in _runs(steps != 1):
                if not _filled(room[first * row_bytes : (last + 1) * row_bytes], file, places[first]):
                    raise damaged(self._directory / shard.file, "became shorter while it was read")
        finally:
            os.close(file)

    def _bring(self, number: int) -> None:
        """Have a file here and compared."""
        shard = self._shards[number]
        if self._placed:
            with self._lock:
                for gone in self._placed.bring(shard):
                    self._mapped.pop(self._numbers.get(gone, -1), None)
                self._offsets[number] = self._measured(shard)
        self.checksums.compare([shard.file])

    def part(self, first: int, last: int) -> "MappedRows":
        """The rows of the files from `first` to before `last` alone."""
        return MappedRows(
            self._directory,
            self._shards[first:last],
            self.width,
            self.checksums,
            self.dtype.type,
            self._placed,
        )

    def _map(self, shard: Shard) -> np.ndarray:
        file = self._directory / shard.file
        try:
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(file, f"cannot be read ({error})") from None
        shape = (shard.rows, self.width)
        if rows.shape != shape or rows.dtype != self.dtype:
            raise damaged(file, f"holds {rows.shape} {rows.dtype}, not {shape} {self.dtype}")
        rows._mmap.madvise(MADV_WILLNEED)
        return rows

    def _measured(self, shard: Shard) -> int:
        """Where a file's rows begin; a file of another size than its rows' is looked into to say what it holds."""
        file = self._directory / shard.file
        if self._placed and not file.is_file():
            return HEADER
        try:
            size = file.stat().st_size
        except OSError as error:
            raise damaged(file, f"cannot be read ({error})") from None
        header = size - shard.rows * self.width * self.dtype.itemsize
        if header != HEADER:
            header = size - self._map(shard).nbytes
        return header

    def _room(self) -> int:
        """How many files may stay mapped."""
        largest = max((shard.rows for shard in self._shards), default=1) * self.width * self.dtype.itemsize
        handles, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        space, _ = resource.getrlimit(resource.RLIMIT_AS)
        most = len(self._shards) if handles == resource.RLIM_INFINITY else handles // 2
        if space != resource.RLIM_INFINITY:
            most = min(most, max(0, space - _held()) // 2 // largest)
        return max(1, most)


def open_rows(directory: Path, manifest: IndexManifest) -> MappedRows:
    """The rows of an index, none of them read: its files must be there, and those of rows must have their size.

    Raises:
        UserError: one is not; it is named.
    """
    for name in manifest.files:
        if not (directory / name).is_file():
            raise damaged(directory / name, "is missing")
    checksums = Checksums(directory, manifest.checksums)
    placed = placed_shards(directory, manifest.shards)
    return MappedRows(directory, manifest.shards, manifest.dimension, checksums, placed=placed)


def _runs(apart: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last place of each run; of n places, `apart` (n - 1,) says which are not in one with the place after."""
    cuts = np.flatnonzero(apart).tolist()
    return zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(apart)], strict=True)


def _filled(room: memoryview, file: int, at: int) -> bool:
    """Read until the room is full; whether the file has so much."""
    while room:
        read = os.preadv(file, [room], at)
        if not read:
            return False
        room, at = room[read:], at + read
    return True


def _will_read(file: int, at: int, size: int) -> None:
    if hasattr(os, "posix_fadvise"):  # not on macOS
        os.posix_fadvise(file, at, size, os.POSIX_FADV_WILLNEED)


def _held() -> int:
    """Bytes of address space that this process has (Linux); elsewhere it is taken to have none."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
