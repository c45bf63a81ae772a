"""What a test left running: threads and processes that were not there before it.

A heart that beats on writes into whatever database has its name next, and the next test waits for a worker that never
answers. (One did: `startrail trace` over a home that cannot be loaded left its heart, and a later test hung.)
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 3.0  # seconds that what is ending may take
# Kept for the whole run by who started them: libraries, and fixtures of the session that a test was the first to ask for.
THREADS = ("tqdm_monitor", "asyncio", "AnyIO", "pytest", "ThreadPoolExecutor", "QueueFeederThread")
PROCESSES = ("postgres", "initdb", "multiprocessing", "chromium", "playwright", "forkserver")


@contextmanager
def nothing_left(*kept: str) -> Iterator[None]:
    """Raises what a block started and did not end, but for threads whose names begin with one of `kept`.

    Raises:
        AssertionError: names the threads, and the processes with their commands.
    """
    threads, processes = set(threading.enumerate()), set(_children())
    yield
    end = time.monotonic() + PATIENCE
    while left := [*_new_threads(threads, (*THREADS, *kept)), *_new_processes(processes)]:
        if time.monotonic() > end:
            raise AssertionError(f"The test left running: {', '.join(left)}")
        time.sleep(0.02)


def _new_threads(before: set[threading.Thread], kept: tuple[str, ...]) -> list[str]:
    return [
        f"thread {thread.name}"
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(kept)
    ]


def _new_processes(before: set[int]) -> list[str]:
    commands = {pid: _command(pid) for pid in _children() if pid not in before}
    return [
        f"process {pid} ({command[:200]})"
        for pid, command in commands.items()
        if command and not any(known in command for known in PROCESSES)
    ]


def _children() -> list[int]:
    """Process ids, where the system tells them (Linux)."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in _text(task).split()]


def _command(pid: int) -> str:
    """The command line; empty for a process that has ended and waits to be asked for its status."""
    return _text(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
