"""What surroundings do to a site: a locked or restarted database, a full or read-only disk, another clock; see `faults`."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from _faults_site import STARTS, Field, Site, environment, served, until
from sqlalchemy import text

from app.store.engine import make_engine

UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
# Python reads this at its start: every time that is stored comes from `now`. libfaketime would set every clock, but its
# sleep fails (EINVAL) where the clock that only passes is left alone.
CLOCK = """
import os, time
from datetime import UTC, datetime
import app.store.base as base
from pathlib import Path

said, real = Path(os.environ["FAULTS_CLOCK"]), time.time
time.time = lambda: real() - float(said.read_text())
base.now = lambda: datetime.fromtimestamp(time.time(), UTC)
"""


def lock(field: Field, seconds: float) -> None:
    """Somebody holds the one place for writers; on PostgreSQL, the table of jobs."""
    if field.sqlite:
        with closing(sqlite3.connect(field.home / "startrail.db", timeout=60, isolation_level=None)) as store:
            store.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            store.execute("ROLLBACK")
        return
    engine = make_engine(field.url)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        time.sleep(seconds)
    engine.dispose()


def restart(field: Field, server: Callable[[], None], times: int) -> None:
    """PostgreSQL falls and gets up again."""
    for _ in range(times):
        time.sleep(5)
        server()


def share(field: Field, seconds: float) -> None:
    """Two servers with a worker each, and two workers more, all on one home."""
    with field.log.open("ab") as log:
        second = Site(field.home, field.url, log)
        more = [
            subprocess.Popen(
                [sys.executable, "-m", "app.cli", "worker", "--threads", "1"],
                env=environment(field.home, field.url), stdout=log, stderr=log,
            )
            for _ in range(2)
        ]  # fmt: skip
        field.people.bases.append(second.base)
        try:
            time.sleep(seconds)
        finally:
            field.people.bases.remove(second.base)
            for worker in more:
                worker.terminate()
            for worker in more:
                worker.wait(60)
            second.stop()


@contextmanager
def small_disk(home: Path, spare: int) -> Iterator[Path]:
    """The home on a disk of its own, a tmpfs, with `spare` bytes to spare.

    Raises:
        PermissionError: nothing can be mounted here.
    """
    place = home.parent / "disk"
    place.mkdir()
    size = sum(each.stat().st_size for each in home.rglob("*") if each.is_file()) + spare
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "startrail-faults", str(place)]
    if subprocess.run(words, capture_output=True).returncode:
        raise PermissionError("No disk can be mounted: run as root, in a container with CAP_SYS_ADMIN.")
    try:
        yield Path(shutil.copytree(home, place / "home"))
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(field: Field, seconds: float) -> None:
    """Not a byte is free for so long."""
    filler = field.home.parent / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    continue
        time.sleep(seconds)
    finally:
        filler.unlink()


def read_only(field: Field, seconds: float) -> None:
    """Nobody may write to anything of the home; a site of root's minds that where it was started with `UNPRIVILEGED`."""
    modes = {each: each.stat().st_mode for each in (field.home, *field.home.rglob("*"))}
    try:
        for each, mode in modes.items():
            each.chmod(mode & ~0o222)
        time.sleep(seconds)
    finally:
        for each, mode in modes.items():
            if each.exists():
                each.chmod(mode)


@contextmanager
def other_clock(home: Path, url: str, log: Path) -> Iterator[tuple[Field, Callable[[int], None]]]:
    """A site whose clock can be set; time that only passes (CLOCK_MONOTONIC) stays as it is."""
    place = home.parent / "clock"
    place.mkdir()
    (place / "sitecustomize.py").write_text(CLOCK)
    said = place / "seconds"

    def set_back(seconds: int) -> None:
        new = said.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        new.replace(said)

    set_back(0)
    paths = [str(place), *filter(None, [os.environ.get("PYTHONPATH")]), str(Path(__file__).parents[1])]
    more = {"FAULTS_CLOCK": str(said), "PYTHONPATH": os.pathsep.join(paths)}
    with served(home, url, log, more) as field:
        until(field.site.ready, STARTS, "a worker under another clock")
        yield field, set_back


def set_back(field: Field, clock: Callable[[int], None], seconds: float) -> None:
    """An hour back, and later forth again."""
    time.sleep(seconds / 3)
    clock(3600)
    time.sleep(seconds / 3)
    clock(0)
    time.sleep(seconds / 3)


@contextmanager
def of_postgresql() -> Iterator[tuple[str, Callable[[], None]]]:
    """A database on a server of our own, and a way to let the server fall and rise."""
    from tests.support.databases import find_programs, postgresql, unprivileged

    identity: dict[str, Any] = unprivileged()
    with postgresql(durable=True) as server:
        control = [str(find_programs() / "pg_ctl"), "-D", str(server.directory / "data"), "-w"]
        options = f"-k {server.directory} -c listen_addresses= -c max_connections=100"

        def again(*words: str) -> None:
            with Path(os.devnull).open("w") as nothing:
                subprocess.run(
                    [*control, *words, "-l", str(server.directory / "again.log")],
                    check=True, stdout=nothing, stderr=nothing, cwd=server.directory, **identity,
                )  # fmt: skip

        try:
            yield server.lasting(), lambda: again("restart", "-m", "immediate", "-o", options)
        finally:
            again("stop", "-m", "immediate")
