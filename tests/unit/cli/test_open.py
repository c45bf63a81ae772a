"""`startrail open`: what a colleague types who was sent a results file."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.pair_files import jsonl, record
from tests.support.ports import free_port


@pytest.mark.slow
def test_a_file_is_imported_and_served_and_opened_again(tmp_path: Path) -> None:
    """The second time the run is there already, which is no fault."""
    file = tmp_path / "c4_trackstar.jsonl"
    file.write_bytes(jsonl([record(n, "trackstar") for n in range(3)]))
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "open", str(file), "--port", str(port)]
    told = {**os.environ, "STARTRAIL_HOME": str(tmp_path / "home"), "PYTHONPATH": ":".join(sys.path)}
    for _ in range(2):
        site = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            assert _run_there(f"http://127.0.0.1:{port}/api/v1/runs/c4-trackstar", site) == 3
        finally:
            site.terminate()
            site.communicate(timeout=30)


def _run_there(address: str, site: subprocess.Popen[bytes]) -> int:
    """How many prompts the run has, once the site answers."""
    ends = time.monotonic() + 120  # on a busy machine the libraries alone take a minute
    while time.monotonic() < ends and site.poll() is None:
        try:
            prompts: int = httpx.get(address).json()["run"]["prompts"]
            return prompts
        except httpx.TransportError:
            time.sleep(0.2)
    site.terminate()
    raise AssertionError(site.communicate(timeout=30)[1].decode())
