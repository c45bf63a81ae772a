"""What hangs is ended by the check that finds it so, in a container of ours and nowhere else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.upkeep.hung import LOOKS, end_it, hangs


@pytest.fixture
def stuck() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def proc(place: Path, first: bytes, children: dict[int, int]) -> Path:
    """A /proc: what its first process was called with, and the parent of each other."""
    for process, parent in {1: 0, **children}.items():
        (place / str(process)).mkdir(parents=True)
        (place / str(process) / "stat").write_text(f"{process} (a) b (c)) S {parent} 1 1")
    (place / "1/cmdline").write_bytes(first)
    (place / "meminfo").touch()
    return place


def test_what_answered_once_and_misses_three_looks_hangs(tmp_path: Path) -> None:
    notes = tmp_path / "looks"
    assert not any(hangs(False, notes) for _ in range(2 * LOOKS)), (
        "it is still starting: a migration may take minutes"
    )
    assert [hangs(well, notes) for well in (True, False, False, True, False, False, False)] == [False] * 6 + [
        True
    ]


def test_the_init_of_our_container_loses_what_it_runs(
    tmp_path: Path, stuck: "subprocess.Popen[bytes]"
) -> None:
    home = proc(tmp_path, b"/sbin/docker-init\0--\0startrail\0serve\0", {stuck.pid: 1, stuck.pid + 1: 9})
    assert end_it(home) == [stuck.pid]
    assert stuck.wait(10) == -9


@pytest.mark.parametrize("first", [b"/sbin/init\0", b"/lib/systemd/systemd\0--user\0", b""])
def test_elsewhere_nothing_is_killed(tmp_path: Path, stuck: "subprocess.Popen[bytes]", first: bytes) -> None:
    assert end_it(proc(tmp_path, first, {stuck.pid: 1})) == []
    assert stuck.poll() is None
