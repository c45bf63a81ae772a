"""Visitors of a site, of every kind that `load.py` sends, and what they were answered."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

PAGES = (
    "/", "/prompts", "/runs", "/finds", "/evaluation", "/prompts?q=capital", "/about", "/methods", "/status",
)  # fmt: skip
FILE = "/prompts.jsonl"
EXPORTS, READERS = 32, 2
PAUSE = 0.05  # seconds between two pages of a reader who is timed
SLOW_READ = 0.2  # seconds between two reads over a bad line
HALF = b"POST /trace HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nprompt="
HELD = 5.0  # seconds that a half said request stands


def p95(times: list[float]) -> float:
    """The time within which 19 of 20 were answered."""
    return sorted(times)[int(0.95 * (len(times) - 1))] if times else float("nan")


async def beside_files(base: str, files: int, seconds: float) -> tuple[list[float], Counter[str]]:
    """Seconds that each page took a few readers while so many others took whole files, and what all were answered."""
    crowd = Crowd(base, seconds)
    async with crowd.client() as readers, crowd.client() as takers:
        await asyncio.gather(
            *(crowd.read(readers, first) for first in range(READERS)),
            *(crowd.take_files(takers, slowly=False) for _ in range(files)),
        )
    return crowd.times, crowd.answers


class Crowd:
    """Visitors for so many seconds."""

    def __init__(self, base: str, seconds: float) -> None:
        self.base, self.ends = base, time.monotonic() + seconds
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []
        self._numbers = itertools.count()

    def client(self) -> httpx.AsyncClient:
        """Any number of connections."""
        return httpx.AsyncClient(base_url=self.base, timeout=60, limits=httpx.Limits(max_connections=None))

    async def run(self, clients: int) -> None:
        """All kinds at once: half browse, an eighth each ask, take files fast, slowly, or hang."""
        async with self.client() as client:
            kinds: list[Callable[[], Coroutine[Any, Any, None]]] = [
                *[lambda: self.browse(client)] * 4,
                lambda: self.ask(client),
                lambda: self.take_files(client, slowly=False),
                lambda: self.take_files(client, slowly=True),
                self.half_open,
            ]
            await asyncio.gather(*(kinds[number % len(kinds)]() for number in range(clients)))

    async def read(self, client: httpx.AsyncClient, first: int) -> None:
        """Every page in turn."""
        for path in itertools.islice(itertools.cycle(PAGES), first, None):
            if self._over():
                return
            await self._page(client, path)
            await asyncio.sleep(PAUSE)

    async def browse(self, client: httpx.AsyncClient) -> None:
        """Pages, one after another, with a moment to read."""
        while not self._over():
            await self._page(client, random.choice(PAGES))
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def ask(self, client: httpx.AsyncClient) -> None:
        """Questions, and the live answer of each."""
        while not self._over():
            try:
                asked = await client.post("/api/v1/traces", json={"prompt": f"Load {next(self._numbers)} is"})
                self._answered(asked)
                if asked.status_code == 202:
                    await self._take(client, f"/traces/{asked.json()['id']}/events")
                else:
                    await asyncio.sleep(1)
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    async def take_files(self, client: httpx.AsyncClient, *, slowly: bool) -> None:
        """Whole files; `slowly`, as over a bad line."""
        while not self._over():
            try:
                status = await self._take(client, FILE, pause=SLOW_READ if slowly else 0)
                if status == 503:
                    await asyncio.sleep(1)
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    async def half_open(self) -> None:
        """Connections that begin a request and never end it."""
        host, port = self.base.removeprefix("http://").split(":")
        while not self._over():
            try:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(HALF)
                await asyncio.sleep(min(HELD, max(0.0, self.ends - time.monotonic())))
                writer.close()
            except OSError:
                self.answers["connection refused"] += 1
                await asyncio.sleep(1)

    async def _page(self, client: httpx.AsyncClient, path: str) -> None:
        began = time.perf_counter()
        try:
            self._answered(await client.get(path))
            self.times.append(time.perf_counter() - began)
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1

    async def _take(self, client: httpx.AsyncClient, path: str, pause: float = 0) -> int:
        async with client.stream("GET", path) as stream:
            self._answered(stream)
            async for _ in stream.aiter_raw():
                await asyncio.sleep(pause)
                if self._over():
                    break
        return stream.status_code

    def _answered(self, answer: httpx.Response) -> None:
        self.answers[str(answer.status_code)] += 1

    def _over(self) -> bool:
        return time.monotonic() > self.ends
