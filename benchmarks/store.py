"""Every kind of page over few prompts and over many, on both databases: what grows, and which statements make it.

    python benchmarks/store.py [--prompts 5000,100000] [--databases sqlite,postgresql] [--passages 4000] [--keep DIR] [--plans]
                               [--together 16]

Makes a store with one run over so many prompts (SQLite under --keep, to be used again; PostgreSQL in a server of its own),
the largest with a corpus of so many passages, and asks each page of an application that has just been started, in this
process: its first answer, then the median of the next ones. Reaches: every page, first answer included, within 100 ms or
stopped by the limit on statements, and no page more than twice what it takes over the fewest prompts. `--plans` prints the
statements of pages that miss, slowest first, with how the database goes about them. `--together` has the site of the largest
store served by a process of its own, asked for heavy things by so many readers at once: it holds 400 MB at the most.

`--processor` (SQLite only, whose work is this process's) tells milliseconds of the processor in place of the clock's: on a
machine that others use as well only these mean anything.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from _report import Check, finish
from _synthetic import PASSAGES, RELATIONS, synthetic_store
from _together import together
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from app.main import create_app
from app.settings import Settings
from tests.support.databases import postgresql

REACH = 100.0  # milliseconds
TWICE = 2.0
SAME = 10.0  # milliseconds that are nobody's wait, however many times something they are
AGAIN = 5
PAGES = {
    "front page": "/",
    "runs": "/runs",
    "a run": "/runs/run-0",
    "prompts": "/prompts",
    "prompts, last page": "/prompts?before=-1",
    "prompts of a task": "/prompts?task=fact",
    "prompts of a task, relation, wrong": f"/prompts?task=fact&relation={RELATIONS[3]}&right=no",
    "search: a word in every prompt": "/prompts?q=subject",
    "search: a rare word": "/prompts?q=word+4321",
    "an expression": "/prompts?where=ex%5B%22confidence%22%5D+%3E+0.5",
    "sorted by score": "/prompts?sort=score",
    "sorted by frequency": "/prompts?sort=frequency",
    "sorted by probability": "/prompts?sort=probability",
    "sorted by tail-patch": "/prompts?sort=tail-patch",
    "an example": "/runs/run-0/prompts/prompt-3",
    "an example inside a filter": "/runs/run-0/prompts/prompt-3?right=yes",
    "an example inside a search": "/runs/run-0/prompts/prompt-3?q=subject",
    "an example inside a sorted list": "/runs/run-0/prompts/prompt-3?sort=score",
    "go to, sorted": "/go?run=run-0&sort=score&n=2000",
    "a random prompt": "/random",
    "a passage": "/passages/17",
    "compare": "/compare",
    "evaluation": "/evaluation",
    "evaluation, prompts": "/evaluation/prompts?run=run-0",
    "evaluation, prompts of a slice": "/evaluation/prompts?run=run-0&measure=tail_patch_1&right=no&page=7",
    "evaluation, prompts by type": "/evaluation/prompts?run=run-0&kind=relation",
    "mistakes": "/finds/mistakes",
    "models": "/models",
    "corpora": "/corpora",
    "a corpus": "/corpora/synthetic",
    "search: a word of many passages": "/prompts?q=word17",
    "search: a word of no prompt": "/prompts?q=word17+word18",
    "status": "/status",
    "sitemap": "/sitemap.xml",
}


@dataclass(frozen=True)
class Answered:
    """Milliseconds of a page's first answer and of the ones after, its statuses, and its slowest statements."""

    first: float
    then: float
    status: int
    slow: list[tuple[float, str, Any]]


def asked(settings: Settings, path: str, clock: Callable[[], float] = time.perf_counter) -> Answered:
    """A page of an application that has just been started."""
    app = create_app(settings)
    slow: list[tuple[float, str, Any]] = []
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        client.get("/healthz")  # what is made once for all pages
        gc.collect()  # what earlier applications left
        with timed(app.state.store.engine, slow):
            first, status = clocked(client, path, clock)
        then = [clocked(client, path, clock)[0] for _ in range(AGAIN)]
    return Answered(first, median(then), status, sorted(slow, key=lambda each: -each[0])[:3])


def clocked(client: TestClient, path: str, clock: Callable[[], float]) -> tuple[float, int]:
    """Milliseconds, and what was answered."""
    began = clock()
    answer = client.get(path)
    return (clock() - began) * 1000, answer.status_code


@contextmanager
def timed(engine: Engine, into: list[tuple[float, str, Any]]) -> Iterator[None]:
    """Note what each statement takes until its first row."""

    def begin(connection: Any, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def end(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        into.append(((time.perf_counter() - connection.info["began"]) * 1000, statement, parameters))

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", begin)
        event.remove(engine, "after_cursor_execute", end)


def plan(engine: Engine, statement: str, parameters: Any) -> list[str]:
    """How the database goes about it."""
    how = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(how + statement, parameters).all()
    return [str(row[-1]) for row in rows]


def settings_of(database: str, prompts: int, passages: int, folder: Path, server: Any) -> Settings:
    """A store of so many prompts: made, or found where it was made before."""
    home = folder / (f"{database}-{prompts}" + (f"-{passages}" if passages != PASSAGES else ""))
    made = home / "made"
    home.mkdir(parents=True, exist_ok=True)
    url = "" if database == "sqlite" else server.lasting()
    settings = Settings(home=home, database_url=url)
    if url or not made.exists():
        began = time.monotonic()
        synthetic_store(settings.url, prompts, passages)
        print(f"  made in {time.monotonic() - began:.0f} s", flush=True)
        made.touch()
    return settings


def show_plans(settings: Settings, name: str, found: Answered) -> None:
    """The statements that a slow page waited for."""
    engine = create_app(settings).state.store.engine
    for spent, statement, parameters in found.slow:
        if spent > SAME:
            print(f"\n  {name}: {spent:.0f} ms\n    {' '.join(statement.split())[:1500]}")
            print("    " + "\n    ".join(plan(engine, statement, parameters)))
    engine.dispose()


def measured(
    database: str, sizes: list[int], folder: Path, server: Any, said: argparse.Namespace
) -> list[Check]:
    """All pages at all sizes on one database."""
    clock = time.process_time if said.processor else time.perf_counter
    many_passages = {sizes[-1]: said.passages}
    stores = {
        size: settings_of(database, size, many_passages.get(size, PASSAGES), folder, server) for size in sizes
    }
    for path in PAGES.values():  # templates are compiled once a process
        asked(stores[sizes[0]], path)
    print(f"\n  {database:<40}" + "".join(f"{size:>24,}" for size in sizes) + "   first, then (ms)")
    slowest, most = 0.0, 0.0
    for name, path in PAGES.items():
        found = [asked(settings, path, clock) for settings in stores.values()]
        cells = "".join(f"{each.first:>12.1f}{each.then:>9.1f}{_status(each):>3}" for each in found)
        few, many = found[0], found[-1]
        grown = max(
            pair[1] / pair[0] for pair in ((few.first, many.first), (few.then, many.then)) if pair[1] > SAME
        ) if max(many.first, many.then) > SAME else 1.0  # fmt: skip
        missed = many.status == 200 and (max(many.first, many.then) > REACH or grown > TWICE)
        print(f"  {name:<40}{cells}{'  ✗' if missed else ''}")
        if missed and said.plans:
            show_plans(stores[sizes[-1]], name, many)
        if many.status != 503:
            slowest, most = max(slowest, many.first, many.then), max(most, grown)
    heavy = together(stores[sizes[-1]], said.together, database) if said.together else []
    return [
        *heavy,
        Check(f"{database}: slowest page at {sizes[-1]:,} prompts", slowest, "ms", REACH, True),
        Check(f"{database}: most that a page grew from {sizes[0]:,}", most, "×", TWICE, True),
    ]


def _status(found: Answered) -> str:
    return "" if found.status == 200 else f"  {found.status}"


def main() -> None:
    """Make the stores, ask every page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", default="5000,100000", help="sizes, the smallest first")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--keep", type=Path, help="folder for the SQLite stores, to be used again")
    parser.add_argument("--plans", action="store_true", help="statements of pages that miss, and their plans")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="of the largest store's corpus")
    parser.add_argument("--together", type=int, default=0, help="readers at once, of the largest store")
    parser.add_argument("--processor", action="store_true", help="milliseconds of the processor")
    said = parser.parse_args()
    sizes = [int(each) for each in said.prompts.split(",")]
    checks: list[Check] = []
    with ExitStack() as stack:
        folder = said.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="startrail-store-"))
        )
        for database in said.databases.split(","):
            server = stack.enter_context(postgresql()) if database == "postgresql" else None
            checks += measured(database, sizes, folder, server, said)
    finish("store", checks)


if __name__ == "__main__":
    main()
