"""The words of a large corpus as a worker has them: BM25 and the stretches that stand word for word, made, kept, and mapped.

    python benchmarks/words.py [--passages 2000000] [--workers 4] [--folder DIR]

Passages of twelve to twenty words out of half a million, as often as words of a language are (1 / rank). Each kind is made by a
process of its own; then so many workers open what was kept and are asked at the same time. What a worker holds for itself is told
apart from what is mapped, which is there once for all of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

from _report import Check, finish, peak

from app.retrieval.bm25 import BM25
from app.retrieval.verbatim import Verbatim

KINDS: dict[str, type[BM25] | type[Verbatim]] = {"bm25": BM25, "verbatim": Verbatim}
VOCABULARY, STREAM, QUESTIONS = 500_000, 3_000_000, 30


def texts(passages: int) -> Iterator[str]:
    """The same each time."""
    random = Random(0)
    words = [f"w{number}" for number in range(VOCABULARY)]
    stream = random.choices(words, [1 / (rank + 10) for rank in range(VOCABULARY)], k=STREAM)
    for _ in range(passages):
        start = random.randrange(STREAM - 20)
        yield " ".join(stream[start : start + random.randint(12, 20)])


def make(kind: str, passages: int, folder: Path) -> None:
    """In a process of its own: its peak, and how long it took."""
    began = time.monotonic()
    KINDS[kind].build(texts(passages)).save(folder / kind)
    print(json.dumps({"peak": peak(), "seconds": time.monotonic() - began}))


def ask(kind: str, folder: Path) -> None:
    """Open it and ask; milliseconds of opening and of a question, MiB that this process alone has got by that."""
    asked = list(texts(QUESTIONS))
    before, began = own(), time.monotonic()
    index = KINDS[kind].load(folder / kind)
    opened, spent = time.monotonic() - began, []
    for text in asked:
        began = time.monotonic()
        index.search([text], 10) if isinstance(index, BM25) else index.find(text)
        spent.append(time.monotonic() - began)
    print(json.dumps({"opened": opened * 1e3, "asked": median(spent) * 1e3, "own": own() - before}))


def own() -> float:
    """MiB of this process that are no mapped file (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def answers(*commands: list[str]) -> list[dict[str, float]]:
    """What processes that run at the same time print."""
    started = [
        subprocess.Popen([sys.executable, __file__, *each], stdout=subprocess.PIPE, text=True)
        for each in commands
    ]
    found = [json.loads(each.communicate()[0].splitlines()[-1]) for each in started]
    assert not any(each.returncode for each in started)
    return found


def main() -> None:
    """Make both, ask both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--make", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--ask", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        return make(given.make, given.passages, given.folder)
    if given.ask:
        return ask(given.ask, given.folder)
    checks = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for kind in KINDS:
            (made,) = answers(["--make", kind, "--passages", str(given.passages), "--folder", folder])
            size = sum(each.stat().st_size for each in Path(folder, kind).iterdir()) / 1e6
            workers = answers(*[["--ask", kind, "--folder", folder]] * given.workers)
            print(f"{kind}: {made}, {size:,.0f} MB kept; workers: {workers}", flush=True)
            most = {name: max(each[name] for each in workers) for name in workers[0]}
            checks += [
                Check(f"{kind}: made", made["seconds"], "s"),
                Check(f"{kind}: most memory while it was made", made["peak"], "MiB"),
                Check(f"{kind}: kept, mapped by all workers", size, "MB"),
                Check(f"{kind}: opened, of {given.workers} workers the last", most["opened"], "ms"),
                Check(f"{kind}: a question", most["asked"], "ms"),
                Check(
                    f"{kind}: what each worker has for itself, over what is kept",
                    most["own"] / size,
                    "",
                    0.2,
                    True,
                ),
            ]
    finish(f"words {given.passages}", checks)


if __name__ == "__main__":
    main()
