"""An end for what hangs in a container: Docker starts again what has ended, and leaves alone what only fails its checks.

So the check itself ends it, where the container has an init (`init: true` in compose) that runs us and nothing else.
"""

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

LOOKS = 3  # at which nobody answered, one after another, before what hangs is ended
_PROC = Path("/proc")


def looked_at(well: Callable[[], bool]) -> bool:
    """Whether all is well; what hangs is ended."""
    found = well()
    if hangs(found):
        end_it()
    return found


def hangs(well: bool, notes: Path | None = None) -> bool:
    """Note a look; whether what answered once has not done so for several looks. What never answered is still starting.

    Args:
        notes: the file that remembers, which must go when the process does: by default in the container's own /tmp.
    """
    notes = notes or Path(tempfile.gettempdir()) / "startrail-looks"
    if well:
        notes.write_text("0")
        return False
    if not notes.exists():
        return False
    missed = int(notes.read_text() or 0) + 1
    notes.write_text(str(missed))
    return missed >= LOOKS


def end_it(proc: Path = _PROC) -> list[int]:
    """Kill what the init of this container of ours runs; elsewhere nothing. Returns the processes."""
    if b"startrail" not in (proc / "1/cmdline").read_bytes():
        return []
    found = [int(each.name) for each in proc.iterdir() if each.name.isdigit() and _parent(each) == 1]
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def _parent(process: Path) -> int:
    try:
        status = (process / "stat").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    return int(status.rpartition(")")[2].split()[1])
