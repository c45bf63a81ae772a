"""Many readers who all ask for something heavy at once: what they are answered, and the most memory that the web process held."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from _report import Check

from app.settings import Settings

HEAVY = {
    "lists": "/prompts?sort=score",
    "searches for a word in every prompt": "/prompts?q=subject",
    "expressions": "/prompts?where=ex%5B%22confidence%22%5D+%3E+0.5",
    "sorted files": "/prompts.jsonl?sort=score",
    "files of a search": "/prompts.jsonl?q=subject",
    "files of an expression": "/prompts.jsonl?where=ex%5B%22confidence%22%5D+%3E+0.5",
}
TAKEN = 15.0  # seconds for which a file is read: what it holds it holds by then
MOST = 400.0  # MiB


def together(settings: Settings, many: int, name: str) -> list[Check]:
    """Each kind asked for `many` times at once of a site that has just been started, then all kinds of another one."""
    worst = 0.0
    for kind, paths in [(kind, [path]) for kind, path in HEAVY.items()] + [
        ("all of them", [*HEAVY.values()])
    ]:
        with served(settings) as (base, process):
            idle = most_held(process)
            began = time.perf_counter()
            answers = asyncio.run(_ask(base, paths * many))
            spent, held = time.perf_counter() - began, most_held(process)
        worst = max(worst, held)
        told = f"{idle:>5.0f} MiB before, {held:>5.0f} at most, {spent:>5.1f} s, {dict(answers)}"
        print(f"  {name}: {many} × {kind:<40}{told}", flush=True)
    return [
        Check(f"{name}: most memory of the web process, {many} of a kind at once", worst, "MiB", MOST, True)
    ]


@contextmanager
def served(settings: Settings) -> Iterator[tuple[str, int]]:
    """The site as `startrail serve` starts it, without a worker: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    named = {"STARTRAIL_HOME": str(settings.home), "STARTRAIL_DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--no-worker"]
    server = subprocess.Popen(command, env={**os.environ, **named})
    try:
        base = f"http://127.0.0.1:{port}"
        while not _answers(base):
            time.sleep(0.2)
        yield base, server.pid
    finally:
        server.terminate()
        server.wait(60)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


async def _ask(base: str, paths: list[str]) -> Counter[int]:
    async with httpx.AsyncClient(
        base_url=base, timeout=120, limits=httpx.Limits(max_connections=None)
    ) as client:
        return Counter(await asyncio.gather(*(_taken(client, path) for path in paths)))


async def _taken(client: httpx.AsyncClient, path: str) -> int:
    """The status, once the answer was read as far as `TAKEN` lets it."""
    ends = time.monotonic() + TAKEN
    async with client.stream("GET", path) as answer:
        async for _ in answer.aiter_raw():
            if time.monotonic() > ends:
                break
    return answer.status_code


def most_held(process: int) -> float:
    """MiB that a process held at most so far (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
