"""Many clients ask different questions at once while somebody browses: nothing may be lost or slow down much."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
from _report import Check

from app.models.text import Query

BROWSE = ("/prompts", "/prompts?task=fact&right=yes", "/runs")
BETWEEN = 0.25  # seconds a reader looks at a page


def load(site: str, server: int, questions: list[Query], *, clients: int, seconds: float) -> list[Check]:
    """Ask for `seconds`, wait for what was accepted, and tell how it went."""
    return asyncio.run(_load(site, server, questions, clients, seconds))


async def _load(site: str, server: int, questions: list[Query], clients: int, seconds: float) -> list[Check]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=clients + 4)
    async with httpx.AsyncClient(base_url=site, timeout=120, limits=limits) as client:
        idle = await _browse(client, time.monotonic() + min(8.0, seconds))
        seen: Counter[str] = Counter()
        waiting = iter(questions)
        ends = time.monotonic() + seconds
        started = time.monotonic()
        memory = asyncio.create_task(_memory(server, ends))
        asking = [asyncio.create_task(_ask(client, waiting, ends, seen)) for _ in range(clients)]
        busy = await _browse(client, ends)
        await asyncio.gather(*asking)
        spent = time.monotonic() - started
        grown = await memory
    print(f"\n  {clients} clients for {seconds:g} s: " + ", ".join(f"{v:,} {k}" for k, v in seen.items()))
    print(f"  pages while idle {median(idle):.1f} ms, meanwhile {median(busy):.1f} ms (medians)")
    wrong = sum(number for what, number in seen.items() if what not in ("answered", "refused (503)"))
    return [
        Check("questions answered", seen["answered"], "traces"),
        Check("questions answered per second", seen["answered"] / spent, "/s"),
        Check("questions refused with 503", seen["refused (503)"], "requests"),
        Check("questions neither answered nor refused", wrong, "requests", 0, True),
        Check("browse pages under load / idle", median(busy) / median(idle), "×", 2.0, True),
        Check("memory at the end / after the first quarter", grown, "×", 1.1, True),
    ]


async def _ask(
    client: httpx.AsyncClient, questions: Iterator[Query], ends: float, seen: Counter[str]
) -> None:
    """One client: ask, watch until the answer is there, ask the next."""
    while time.monotonic() < ends and (query := next(questions, None)) is not None:
        try:
            body = {"prompt": query.prompt, "completion": query.completion}
            answer = await client.post("/api/traces", json=body)
            if answer.status_code == 503:
                seen["refused (503)"] += 1
                await asyncio.sleep(
                    min(float(answer.headers["Retry-After"]), max(0.0, ends - time.monotonic()))
                )
                continue
            answer.raise_for_status()
            seen[await _outcome(client, answer.json())] += 1
        except httpx.HTTPError as error:
            seen[f"{type(error).__name__}: {error}"] += 1


async def _outcome(client: httpx.AsyncClient, ticket: dict[str, str]) -> str:
    """What a reader sees at the end of the stream."""
    over = found = False
    while not over:  # the stream ends after a minute, and a browser connects again
        async with client.stream("GET", ticket["events_url"]) as stream:
            async for line in stream.aiter_lines():
                found = found or 'class="proponent"' in line
                over = over or line.startswith("event: done")
    return "answered" if found else "ended without passages"


async def _browse(client: httpx.AsyncClient, ends: float) -> list[float]:
    """Milliseconds of pages, asked for one after the other as a reader would."""
    times: list[float] = []
    while time.monotonic() < ends:
        started = time.perf_counter()
        (await client.get(BROWSE[len(times) % len(BROWSE)])).raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(BETWEEN)
    return times


async def _memory(server: int, ends: float) -> float:
    """The server's and its worker's memory at the end, over what it was after a quarter of the time."""
    await asyncio.sleep(max(0.0, (ends - time.monotonic()) / 4))
    early = _resident(server)
    await asyncio.sleep(max(0.0, ends - time.monotonic()))
    late = _resident(server)
    print(f"\n  memory of server and worker {early >> 20:,} MiB, at the end {late >> 20:,} MiB")
    return late / early


def _resident(process: int) -> int:
    """Bytes in memory of a process and those it started (Linux)."""
    place = Path(f"/proc/{process}")
    children = " ".join(file.read_text() for file in place.glob("task/*/children")).split()
    pages = int((place / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)
