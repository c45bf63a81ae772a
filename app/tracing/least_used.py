"""What a worker keeps in memory for the next question, as much as fits; what was used least lately is let go first."""

import gc
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


def held() -> int:
    """Bytes of memory that this process has to itself; files that are mapped do not count. 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def machine_memory() -> int:
    """Bytes of memory of this machine, or of what its container was given."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        given = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return whole
    return min(whole, int(given)) if given.isdecimal() else whole


class LeastUsed(Generic[Kept]):
    """Things by name, the one used last at the end. Not shared between threads.

    Args:
        budget: bytes that the process may hold with what is kept and what comes; one thing is kept in any case.
        held: how many it holds.
    """

    def __init__(self, budget: int, held: Callable[[], int] = held) -> None:
        self.budget = budget
        self._held = held
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def get(self, name: str) -> Kept | None:
        """The thing of this name, used now; None where it is not kept."""
        if name in self._kept:
            self._kept.move_to_end(name)
        return self._kept.get(name)

    def put(self, name: str, need: int, make: Callable[[], Kept]) -> Kept:
        """Make a thing and keep it, once there is room: whatever it replaces goes first, then what was used least lately.

        Args:
            need: bytes that it will take, about.
        """
        self._kept.pop(name, None)
        while self._kept and self._held() + need > self.budget:
            self._kept.popitem(last=False)
            gc.collect()  # a model and what listens to it hold each other
        made = self._kept[name] = make()
        return made
