"""Pages: ours beside Datasette's on the same SQLite file, and browsing a large run beside a small one.

    python benchmarks/pages.py [--large 1200000] [--rounds 60] [--datasette PATH]

Each site runs in a process of its own; requests alternate between them, over kept connections, after a warm-up; the
median of the server's answer times is compared. Datasette 0.65 comes from a virtual environment made for it
(nothing of Startrail depends on it); without the network, name an installed one with --datasette.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import httpx
from _report import Check, finish
from _synthetic import RELATIONS, synthetic_store
from screenshots import free_port, served

DATASETTE = "datasette>=0.65,<0.66"
SMALL = 5_000
WARM_UP = 8


@contextmanager
def datasette(program: Path, file: Path) -> Iterator[str]:
    """Datasette over the file, as it comes."""
    port = free_port()
    server = subprocess.Popen(
        [program, "serve", file, "--port", str(port), "--setting", "num_sql_threads", "3"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


def find_datasette(given: str) -> Path:
    """The program named, or one in a virtual environment kept beside the benchmarks' other scratch files."""
    if given:
        return Path(given)
    home = Path(tempfile.gettempdir()) / "startrail-datasette-0.65"
    program = home / "bin" / "datasette"
    if not program.exists():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", DATASETTE], check=True)
    return program


def alternate(clients: dict[str, tuple[httpx.Client, str]], rounds: int) -> dict[str, float]:
    """Median milliseconds by name; every round asks each once, in turn."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for turn in range(WARM_UP + rounds):
        for name, (client, url) in clients.items():
            started = time.perf_counter()
            answer = client.get(url)
            spent = time.perf_counter() - started
            if answer.status_code != 200:
                raise RuntimeError(f"{url} answered {answer.status_code}")
            if turn >= WARM_UP:
                times[name].append(spent * 1000)
    return {name: median(values) for name, values in times.items()}


def beside_datasette(site: httpx.Client, other: httpx.Client, rounds: int) -> list[Check]:
    """Our pages and its filtered table page over one file."""
    where = f"task__exact=fact&relation__exact={RELATIONS[3]}"
    pages = {
        "our example page": (site, "/runs/run-0/prompts/prompt-3"),
        "our browse page": (site, f"/prompts?task=fact&relation={RELATIONS[3]}"),
        "Datasette's filtered table page": (other, f"/startrail/prompts?{where}"),
        "Datasette's filtered table page with facets": (
            other,
            f"/startrail/prompts?{where}&_facet=task&_facet=relation&_facet=frequency_bucket",
        ),
    }
    found = alternate(pages, rounds)
    for name, value in found.items():
        print(f"  {name:<58} {value:8.2f} ms")
    table = found["Datasette's filtered table page"]
    return [
        Check(
            "example page / Datasette's filtered table page",
            found["our example page"] / table,
            "×",
            0.4,
            True,
        ),
        Check(
            "browse page / Datasette's filtered table page", found["our browse page"] / table, "×", 0.5, True
        ),
        Check("example page", found["our example page"], "ms"),
        Check("browse page", found["our browse page"], "ms"),
        Check("Datasette's filtered table page", table, "ms"),
    ]


def large_beside_small(small: httpx.Client, large: httpx.Client, prompts: int, rounds: int) -> list[Check]:
    """The same lists over few and over many prompts."""
    started = time.perf_counter()
    large.get("/prompts")
    first = time.perf_counter() - started
    lists = {
        "all prompts": "/prompts",
        "one task": "/prompts?task=fact",
        "task, relation and wrong answers": f"/prompts?task=fact&relation={RELATIONS[3]}&right=no",
        "the last page": "/prompts?before=-1",
        "a rare word": "/prompts?q=word+4321",
    }
    print(f"\n  {'the list of':<38}{SMALL:>12,} {prompts:>14,} prompts")
    checks, sums = [], [0.0, 0.0]
    for name, url in lists.items():
        found = alternate({"small": (small, url), "large": (large, url)}, rounds)
        print(f"  {name:<38}{found['small']:>9.2f} ms {found['large']:>11.2f} ms")
        checks.append(Check(f"{prompts:,} / {SMALL:,} prompts: {name}", found["large"] / found["small"], "×"))
        sums = [sums[0] + found["small"], sums[1] + found["large"]]
    whole = Check(f"browse pages at {prompts:,} / at {SMALL:,} prompts", sums[1] / sums[0], "×", 1.2, True)
    return [whole, *checks, Check(f"first list after a start, {prompts:,} prompts counted", first, "s")]


def main() -> None:
    """Build both stores, run the sites, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", type=int, default=1_200_000, help="prompts of the large run")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--datasette", default="", help="path of an installed datasette 0.65")
    parser.add_argument("--keep", type=Path, help="folder for the stores, to be used again")
    asked = parser.parse_args()
    scratch = asked.keep or Path(tempfile.mkdtemp(prefix="startrail-pages-"))
    program = find_datasette(asked.datasette)
    homes = {count: scratch / str(count) for count in (SMALL, asked.large)}
    for count, home in homes.items():
        if not (home / "startrail.db").exists():
            home.mkdir(parents=True, exist_ok=True)
            synthetic_store(f"sqlite:///{(home / 'startrail.db').resolve()}", count)
    with ExitStack() as stack:
        sites = [
            stack.enter_context(served(homes[SMALL], "--no-worker")),
            stack.enter_context(served(homes[asked.large], "--no-worker")),
            stack.enter_context(datasette(program, homes[SMALL] / "startrail.db")),
        ]
        clients = [stack.enter_context(httpx.Client(base_url=each, timeout=120)) for each in sites]
        print(f"\nMedian of {asked.rounds} requests each, taken in turn:")
        checks = beside_datasette(clients[0], clients[2], asked.rounds)
        checks += large_beside_small(clients[0], clients[1], asked.large, asked.rounds)
    if not asked.keep:
        shutil.rmtree(scratch)
    finish("pages", checks)


if __name__ == "__main__":
    main()
