"""One file of records: what it is called, how it is opened, and what its name tells."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from app.interchange.records.streams import Packed

_COMPRESSED = (".gz", ".zst", ".zstd", ".xz", ".bz2", ".lz4")
_ASIDE = re.compile(
    r"(readme|licen[cs]e|changelog|citation)\b|.*\.(md|sha256|md5|lock|crc|py)$", re.IGNORECASE
)
_ASIDE_NAMES = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"}


@dataclass(frozen=True)
class RecordFile:
    """One file of records.

    Args:
        name: what messages call it; the path of a file on disk.
        open: its bytes from the start.
        size: how many there are; 0 where it is not known.
        archive: what it stands in, compressed.
    """

    name: Path | str
    open: Callable[[], BinaryIO]
    size: int = 0
    once: bool = False  # whether it can be opened only once
    archive: Packed | None = None

    @property
    def suffix(self) -> str:
        """The last part of its name that does not tell of compression: `.jsonl` of `a.jsonl.gz`."""
        suffixes = [each.lower() for each in PurePath(self.name).suffixes]
        while suffixes and suffixes[-1] in _COMPRESSED:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""


def natural(path: PurePath | str) -> list[tuple[int, int, str]]:
    """A key that puts `p2` before `p10`."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), part) if part.isdigit() else (0, 0, part) for part in parts]


def of_split(name: str, split: str) -> bool:
    """Whether a file's name says that it belongs to a split: `data/train-00000-of-00002.parquet`."""
    return re.search(rf"(^|[/_.-]){re.escape(split)}([/_.-]|$)", name) is not None


def is_data(path: PurePath) -> bool:
    """Whether a file in a folder may hold records: not hidden, and not one that speaks of the others."""
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    return not hidden and path.name not in _ASIDE_NAMES and not _ASIDE.match(path.name)
