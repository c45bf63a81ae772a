"""An index that lies elsewhere: its shards come when they are looked at, and as many stay as there is room for.

Beside its manifest stands `place.json` with the address and the room. A shard is compared with its checksum as it comes. Whoever
scans all rows asks for all shards in turn, so with room for all each is fetched once, and with less each time: slower, and right.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.digests import file_sha256
from app.errors import UserError
from app.places import file_at, noted_address
from app.trackstar.manifest import Shard

GB = 10**9


@dataclass(frozen=True)
class PlacedShards:
    """Shards of the index in `directory`, which lie at `address`.

    Args:
        room: bytes of shards that are kept here, the one looked at and no other where it is less than that; 0: all.
    """

    directory: Path
    address: str
    room: int
    shards: Sequence[Shard]

    def bring(self, shard: Shard) -> list[Shard]:
        """Have a shard here; those that gave way to it.

        Raises:
            UserError: it is not there, or not what the manifest says.
        """
        file = self.directory / shard.file
        if file.is_file():
            os.utime(file)  # used last
            return []
        found = file_at(f"{self.address}/{shard.file}")
        if found is None:
            raise UserError(
                "A shard of the index is missing.",
                file=f"{self.address}/{shard.file}",
                remedy="Send the index again.",
            )
        gone = self._give_way(found.size)
        found.fetch(file)
        if file_sha256(file) != shard.sha256:
            file.unlink()
            raise UserError(
                "This shard is not what the index's manifest says.",
                file=found.address,
                remedy="Send the index again.",
            )
        return gone

    def _give_way(self, size: int) -> list[Shard]:
        """Remove the shards that were used longest ago, until there is room for so many bytes."""
        here = [
            (state.st_mtime_ns, state.st_size, shard)
            for shard in self.shards
            if (state := _state(self.directory / shard.file))
        ]
        gone, held = [], sum(bytes_ for _, bytes_, _ in here)
        for _, bytes_, shard in sorted(here, key=lambda one: one[0]):
            if not self.room or held + size <= self.room:
                break
            (self.directory / shard.file).unlink(missing_ok=True)
            held -= bytes_
            gone.append(shard)
        return gone


def placed_shards(directory: Path, shards: Sequence[Shard]) -> PlacedShards | None:
    """Where the shards of an index lie; None where they are all here."""
    noted = noted_address(directory)
    return PlacedShards(directory, noted["address"], int(noted.get("room", 0)), shards) if noted else None


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
