"""Many visitors at once, of all kinds, for a while: what they are answered, how long pages take, what the site keeps.

    python benchmarks/load.py --home HOME --clients 64 --seconds 60

serves a copy of the home (the demo's, say) by `startrail serve` and looks at three times of a day:

- a few readers, who take pages one after another, alone and then beside 32 who take whole files: the pages' p95 beside files
  is at most 5 × that of the readers alone;
- a crowd of `--clients`: people who browse and search, readers of files and of live answers, askers, slow readers, and
  connections that are opened and left half said: nobody is answered a 5xx but 503;
- after it: memory at most 1.1 × as before, open files as before. With `--seconds 600` the same is a soak.

Readers and site share the machine's processors, so times are of both.
"""

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from _report import Check, finish
from _visitors import EXPORTS, FILE, Crowd, beside_files, p95

WARM = 10  # seconds of a crowd before memory and files count: what a first one brings (connections, threads) stays
LOOKS = 20  # looks at memory and files while the crowd is there


class Kept:
    """What the server's process holds: looked at while it works."""

    def __init__(self, process: int) -> None:
        self._process = Path(f"/proc/{process}")
        self.seen: list[tuple[int, int]] = []

    def look(self) -> tuple[int, int]:
        """Resident bytes and open files, now."""
        pages = int((self._process / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), len(list((self._process / "fd").iterdir()))

    async def watch(self, seconds: float) -> None:
        """Look again and again."""
        for _ in range(LOOKS):
            await asyncio.sleep(seconds / LOOKS)
            self.seen.append(self.look())

    def growth(self) -> float:
        """The most memory of the last quarter over that of the second: a flat line is 1."""
        memory = [memory for memory, _ in self.seen]
        quarter = len(memory) // 4
        return max(memory[-quarter:]) / max(memory[quarter : 2 * quarter])


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, Kept]]:
    """The site over a copy of the home, without a worker: its address, and a look into its process."""
    with tempfile.TemporaryDirectory() as place, socket.socket() as probe:
        copy = Path(shutil.copytree(home, Path(place) / "home", symlinks=True))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--no-worker"]
        server = subprocess.Popen(command, env={**os.environ, "STARTRAIL_HOME": str(copy)})
        try:
            base = f"http://127.0.0.1:{port}"
            _answers(base)
            with httpx.stream("GET", base + FILE, timeout=60) as file:
                if file.status_code != 200:
                    sys.exit(f"{home} has no {FILE} to take: retrieve something first.")
            yield base, Kept(server.pid)
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:  # what was measured is told all the same
                server.kill()
                server.wait()


def _answers(base: str) -> None:
    while True:
        try:
            httpx.get(f"{base}/healthz", timeout=2)
            return
        except httpx.HTTPError:
            time.sleep(0.2)


def broken(answers: Counter[str]) -> int:
    """How many were no answers: a 5xx but 503, or a connection cut or refused, which has a name in place of a number."""
    return sum(many for said, many in answers.items() if said != "503" and said[0] not in "234")


async def beside(base: str, seconds: float) -> list[Check]:
    """Readers alone, then beside files."""
    await beside_files(base, 0, 3)
    calm, _ = await beside_files(base, 0, seconds)
    busy, answers = await beside_files(base, EXPORTS, seconds)
    print(f"readers beside {EXPORTS} who take files: {len(busy)} pages, {dict(answers)}")
    return [
        Check("pages' p95 alone", p95(calm) * 1e3, "ms"),
        Check(f"pages' p95 beside {EXPORTS} files", p95(busy) * 1e3, "ms"),
        Check("the one over the other", p95(busy) / p95(calm), "×", 5, at_most=True),
        Check("5xx but 503, or cut, beside files", broken(answers), "answers", 0, at_most=True),
    ]


async def crowded(base: str, kept: Kept, clients: int, seconds: float) -> list[Check]:
    """A crowd of every kind, and what it leaves."""
    await Crowd(base, WARM).run(clients)
    await asyncio.sleep(3)
    memory, files = kept.look()
    crowd = Crowd(base, seconds)
    await asyncio.gather(crowd.run(clients), kept.watch(seconds))
    await asyncio.sleep(3)
    after, open_after = kept.look()
    print(f"a crowd of {clients} for {seconds:g} s: {dict(crowd.answers)}")
    return [
        Check("5xx but 503, or cut, in a crowd", broken(crowd.answers), "answers", 0, at_most=True),
        Check("pages' p95 in a crowd", p95(crowd.times) * 1e3, "ms"),
        Check("memory after / before", after / memory, "×", 1.1, at_most=True),
        Check("memory, last quarter / second", kept.growth(), "×", 1.1, at_most=True),
        Check("open files more than before", open_after - files, "files", 8, at_most=True),
    ]


def main() -> None:
    """Serve, look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    with serving(asked.home) as (base, kept):
        checks = asyncio.run(beside(base, min(asked.seconds, 30)))
        checks += asyncio.run(crowded(base, kept, asked.clients, asked.seconds))
    finish(f"load {asked.clients} {asked.seconds:g}", checks)


if __name__ == "__main__":
    main()
