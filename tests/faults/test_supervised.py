"""A worker that hangs is as bad as one that died: both are replaced."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.upkeep.supervise import keep

pytestmark = pytest.mark.slow

BEATING = """
import os, sys, time
from app.upkeep.supervise import beat
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
while True:
    beat()
    time.sleep(0.05)
"""


def pids(file: Path, many: int) -> list[int]:
    """The processes started so far, once there are so many."""
    ends = time.monotonic() + 30
    while not (file.is_file() and len(file.read_text().split()) >= many):
        assert time.monotonic() < ends, "it was not started again"
        time.sleep(0.02)
    return [int(each) for each in file.read_text().split()]


def test_a_stopped_worker_is_killed_and_replaced_and_a_dead_one_too(tmp_path: Path) -> None:
    """SIGSTOP left 16 traces `running`, and the site called it ready."""
    said: list[str] = []
    file, stop = tmp_path / "pids", threading.Event()
    command = [sys.executable, "-c", BEATING, str(file)]
    keeper = threading.Thread(
        target=keep, args=(command, stop, said.append), kwargs={"silence": 1.0, "pause": 0.1}
    )
    keeper.start()
    try:
        (first,) = pids(file, 1)
        time.sleep(0.5)  # it has given a sign of life
        os.kill(first, signal.SIGSTOP)
        second = pids(file, 2)[-1]
        os.kill(second, signal.SIGKILL)
        third = pids(file, 3)[-1]
        time.sleep(1.5)  # one that lives is left alone
        assert pids(file, 3)[-1] == third
    finally:
        stop.set()
        keeper.join(20)
    assert not keeper.is_alive()
    assert "no sign of life" in said[0]
    assert "exit -9" in said[1]


def test_a_worker_does_not_outlive_a_server_that_was_killed(tmp_path: Path) -> None:
    """Twenty servers killed left twenty workers, each with its model or about to load it: too busy for signs of life."""
    file = tmp_path / "pids"
    loading = """
import os, sys, time
from app.upkeep.supervise import end_with_starter
end_with_starter()
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(60)
"""
    keeping = "import sys, threading; from app.upkeep.supervise import keep; keep(sys.argv[1:], threading.Event(), print)"
    command = [sys.executable, "-c", keeping, sys.executable, "-c", loading, str(file)]
    with subprocess.Popen(command) as server:
        (worker,) = pids(file, 1)
        time.sleep(0.2)
        server.kill()
    ends = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < ends, "the worker lives on"
        time.sleep(0.05)
