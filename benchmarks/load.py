"""Many visitors at once, of all kinds, for a while: what they are answered, how long pages take, what the site keeps.

    python benchmarks/load.py --home HOME --clients 64 --seconds 60

starts `startrail serve` on the home (the demo's, say) and sends it people who browse and search, readers of files and of
live answers, askers, slow readers, and connections that are opened and left half said. Reaches: no 5xx but 503; pages' p95
while files are sent ≤ 5 × that of an idle site; memory afterwards ≤ 1.1 ×; open files as before.
"""

import argparse
import asyncio
import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
from _report import Check, finish

PAGES = (
    "/",
    "/prompts",
    "/runs",
    "/finds",
    "/evaluation",
    "/prompts?q=capital",
    "/about",
    "/methods",
    "/status",
)
SLOW_READ, IDLE, WARM = (
    0.2,
    20,
    10,
)  # seconds between two reads; pages asked of an idle site; seconds before it counts


class Load:
    """What was answered so far."""

    def __init__(self, base: str, seconds: float) -> None:
        self.base, self.ends = base, time.monotonic() + seconds
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []
        self.numbers = itertools.count()

    async def _get(self, client: httpx.AsyncClient, path: str) -> None:
        began = time.perf_counter()
        try:
            answer = await client.get(path)
            self.answers[str(answer.status_code)] += 1
            self.times.append(time.perf_counter() - began)
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1

    async def browse(self, client: httpx.AsyncClient) -> None:
        """Pages, one after another, with a moment to read."""
        while time.monotonic() < self.ends:
            await self._get(client, random.choice(PAGES))
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def ask(self, client: httpx.AsyncClient) -> None:
        """Questions, and the live answer of each."""
        while time.monotonic() < self.ends:
            try:
                asked = await client.post("/api/v1/traces", json={"prompt": f"Load {next(self.numbers)} is"})
                self.answers[str(asked.status_code)] += 1
                if asked.status_code == 202:
                    async with client.stream("GET", f"/traces/{asked.json()['id']}/events") as stream:
                        async for _ in stream.aiter_raw():
                            if time.monotonic() > self.ends:
                                break
                else:
                    await asyncio.sleep(1)
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    async def take_files(self, client: httpx.AsyncClient, *, slowly: bool) -> None:
        """Whole exports; `slowly`, as over a bad line."""
        while time.monotonic() < self.ends:
            try:
                async with client.stream("GET", "/prompts.jsonl") as stream:
                    self.answers[str(stream.status_code)] += 1
                    async for _ in stream.aiter_raw():
                        if slowly:
                            await asyncio.sleep(SLOW_READ)
                        if time.monotonic() > self.ends:
                            break
                if stream.status_code == 503:
                    await asyncio.sleep(1)
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    async def half_open(self) -> None:
        """Connections that begin a request and never end it."""
        host, port = self.base.removeprefix("http://").split(":")
        while time.monotonic() < self.ends:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"POST /trace HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nprompt=")
                await asyncio.sleep(min(5.0, max(0.0, self.ends - time.monotonic())))
                writer.close()
            except OSError:
                self.answers["connection refused"] += 1
                await asyncio.sleep(1)

    async def run(self, clients: int) -> None:
        """All kinds at once: half browse, an eighth each ask, take files fast, slowly, or hang."""
        async with httpx.AsyncClient(
            base_url=self.base, timeout=60, limits=httpx.Limits(max_connections=None)
        ) as client:
            kinds = [self.browse] * 4 + [self.ask]
            work = []
            for number in range(clients):
                place = number % 8
                if place < len(kinds):
                    work.append(kinds[place](client))
                else:
                    work.append(
                        self.half_open() if place == 7 else self.take_files(client, slowly=place == 6)
                    )
            await asyncio.gather(*work)


def p95(times: list[float]) -> float:
    """The time within which 19 of 20 were answered."""
    return sorted(times)[int(0.95 * (len(times) - 1))] if times else float("nan")


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def files(pid: int) -> int:
    """How many a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def idle(base: str) -> list[float]:
    """Times of pages while nobody else asks."""
    calm = Load(base, 60)
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        for path in itertools.islice(itertools.cycle(PAGES), IDLE):
            await calm._get(client, path)
    return calm.times


def main() -> None:
    """Serve, load, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--no-worker"]
    served = subprocess.Popen(command, env={**os.environ, "STARTRAIL_HOME": str(asked.home)})
    try:
        while True:
            try:
                httpx.get(f"{base}/healthz", timeout=2)
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        asyncio.run(idle(base))
        calm = p95(asyncio.run(idle(base)))
        # Once warm: what a first crowd brings (connections of the pool, threads) stays, and must not become more.
        asyncio.run(Load(base, WARM).run(asked.clients))
        time.sleep(3)
        memory_before, files_before = memory(served.pid), files(served.pid)
        load = Load(base, asked.seconds)
        asyncio.run(load.run(asked.clients))
        time.sleep(3)
        asyncio.run(idle(base))
        broken = sum(count for said, count in load.answers.items() if said.startswith("5") and said != "503")
        print(dict(load.answers))
        finish(
            "load",
            [
                Check("5xx other than 503", broken, "answers", 0, at_most=True),
                Check("pages' p95 under load / idle", p95(load.times) / calm, "×", 5, at_most=True),
                Check("memory after / before", memory(served.pid) / memory_before, "×", 1.1, at_most=True),
                Check(
                    "open files more than before", files(served.pid) - files_before, "files", 8, at_most=True
                ),
            ],
        )
    finally:
        served.terminate()
        served.wait(20)


if __name__ == "__main__":
    main()
