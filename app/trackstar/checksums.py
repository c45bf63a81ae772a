"""Which files of an index are what its manifest says: each is compared before it is first used, not when it is opened.

Reading a whole index at each start costs more than it finds. So a file's checksum is compared at first touch, and what
was found sound is written down beside the index with the file's size and time of change (which no copy, restore or write
leaves as it was, whatever they do to the time of modification). Until one of them changes, the file is not read again,
but when it is asked for (`startrail index --verify`), which alone finds a disk that turns bits by itself.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.digests import file_sha256
from app.errors import UserError
from app.files import write_json

log = logging.getLogger(__name__)
YOUNG = 50_000_000  # nanoseconds: a file changed so short ago could change again without its time telling
State = list[str | int]
"""SHA-256, bytes, time of change in ns."""


class Checksums:
    """The checksums of an index directory's files, and which were found to hold."""

    def __init__(self, directory: Path, wanted: Mapping[str, str]) -> None:
        self.directory, self.wanted = directory, dict(wanted)
        self._sound: set[str] = set()
        self._lock = threading.Lock()

    def compare(self, names: Iterable[str] | None = None, *, again: bool = False) -> None:
        """Compare files that were not compared yet; all of them where none is named.

        Args:
            again: read them, whatever is written down of them.

        Raises:
            UserError: one is missing or not what the manifest says; it is named.
        """
        asked = self.wanted if names is None else names
        if not again and self._sound.issuperset(asked):
            return
        with self._lock:
            unsure = [name for name in asked if again or name not in self._sound]
            states = {name: self._state(name) for name in unsure}
            noted = {} if again else self._noted()
            self._read([name for name in unsure if noted.get(name) != states[name]])
            self._sound.update(unsure)
            self._note(noted | states)

    def trust(self) -> None:
        """Take all files for sound: for whoever wrote them and took their checksums just now."""
        self._sound.update(self.wanted)

    def remember(self) -> None:
        """Write down that all files are sound, as they are now, for other processes too."""
        self.trust()
        self._note({name: self._state(name) for name in self.wanted})

    def _read(self, names: list[str]) -> None:
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            for name, sha256 in zip(
                names, threads.map(lambda name: file_sha256(self.directory / name), names), strict=True
            ):
                if sha256 != self.wanted[name]:
                    raise damaged(self.directory / name, "is damaged: its checksum is not the manifest's")

    def _state(self, name: str) -> State:
        try:
            found = (self.directory / name).stat()
        except OSError:
            raise damaged(self.directory / name, "is missing") from None
        return [self.wanted[name], found.st_size, found.st_ctime_ns]

    @property
    def _notes(self) -> Path:
        return self.directory.with_name(f".{self.directory.name}.checked.json")

    def _noted(self) -> dict[str, State]:
        try:
            noted = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _note(self, states: Mapping[str, State]) -> None:
        settled = time.time_ns() - YOUNG
        noted = {name: state for name, state in states.items() if int(state[2]) < settled}
        if noted == self._noted():
            return
        try:
            write_json(self._notes, noted)
        except OSError as error:  # a read-only disk: they are compared once in each process
            log.info("What was compared could not be noted in %s: %s", self._notes, error)


def damaged(file: Path, what: str) -> UserError:
    """The error for a file of an index that is not what the manifest says."""
    return UserError(
        f"This file of the index {what}.", file=file, remedy="Copy it again, or build the index again."
    )
