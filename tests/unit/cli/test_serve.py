"""`startrail serve` as a process: it takes what it started with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.asking import made_home
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


@contextmanager
def serving(home: Path, said: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """The site with its worker, once the worker has said so much."""
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(free_port())]
    with subprocess.Popen(
        command, env={**os.environ, "STARTRAIL_HOME": str(home)}, stderr=subprocess.PIPE
    ) as site:
        try:
            assert site.stderr is not None
            assert any(said in line for line in site.stderr)
            yield site
        finally:
            site.kill()


def children(process: int) -> list[int]:
    """Processes that it started and that live (Linux)."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for file in tasks for child in file.read_text().split()]


@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, b"is ready"), (signal.SIGINT, b"is loading")])
def test_no_worker_outlives_its_site(tmp_path: Path, number: signal.Signals, said: bytes) -> None:
    """Service managers stop a site by SIGTERM; a worker left behind would hold the model and answer for nobody."""
    with serving(Path(shutil.copytree(made_home(), tmp_path / "home")), said) as site:
        (worker,) = children(site.pid)
        site.send_signal(number)
        assert site.wait(timeout=20) in (0, 128 + number, -number)
        ends = time.monotonic() + 5
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < ends, "the worker lives on"
            time.sleep(0.05)


def test_a_home_without_demo_answers_by_the_index_that_is_there(tmp_path: Path) -> None:
    """The real demo's worker ended over and over, and its pages said that there is no index “demo”."""
    home = Path(shutil.copytree(made_home(), tmp_path / "home"))
    (home / "indexes" / "demo").rename(home / "indexes" / "orvella")
    with serving(home, b"is ready") as site:
        assert isinstance(site.args, list)
        address = "http://127.0.0.1:" + str(site.args[-1])
        asked = httpx.post(f"{address}/trace", data={"prompt": "The currency of Ghana is the"})
        assert asked.status_code == 303, asked.text
        assert asked.headers["location"].startswith("/traces/")
