"""Adding a corpus that is larger than memory should be: what the adding process holds at most, and what a kill costs.

A file of lines as C4 is published (text, timestamp, url; 2.2 KB of text on average, made up by a rule), compressed with zstd,
once of 100 MB of lines and once of 1 GB (`--megabytes`). Each is added to an SQLite file by a process of its own; that of the
large one is killed with SIGKILL half-way, and the same command is given again. The digest must be the one that reading the
file gives.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import pyarrow as pa
from _report import Check, finish, peak

from app.digests import CorpusDigest
from app.interchange.adding import add_corpus_files
from app.interchange.plain import read_passages
from app.store.corpora import get_corpus
from app.store.engine import open_store

HALF = "half"
MEAN = 2_200  # characters of a page of C4


def make_file(path: Path, size: int) -> None:
    """`size` bytes of lines, the same each time."""
    rng = Random(0)
    vocabulary = ["".join(rng.choices("aeioubcdfglmnprst", k=rng.randint(2, 10))) for _ in range(20_000)]
    weights = [1 / (rank + 10) for rank in range(len(vocabulary))]
    stream = " ".join(rng.choices(vocabulary, weights, k=4_000_000))
    written = number = 0
    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, "zstd") as out:
        while written < size:
            length = min(int(rng.expovariate(1 / MEAN)) + 100, 100_000)
            start = rng.randrange(len(stream) - length)
            record = {
                "text": stream[start : start + length],
                "timestamp": "2019-04-25T12:57:54Z",
                "url": f"https://example.org/{number}",
            }
            line = (json.dumps(record) + "\n").encode()
            out.write(line)
            written, number = written + len(line), number + 1


def add(file: str, database: str) -> None:
    """Add the file, say when half of it is read, and print what it took as the last line."""
    started, said = time.monotonic(), False

    def told(done: int, total: int, label: str | None = None) -> None:
        nonlocal said
        if label is None and not said and done * 2 > total:
            said = True
            print(HALF, flush=True)

    added = add_corpus_files(open_store(f"sqlite:///{database}", migrate=True), [file], "web", progress=told)
    figures = {"passages": added.passages, "resumed": added.resumed, "peak": peak()}
    print(json.dumps(figures | {"seconds": time.monotonic() - started}))


def adding(file: Path, database: Path, *, kill: bool = False) -> dict[str, float]:
    """The same in a process of its own; killed half-way where that is asked for."""
    command = [sys.executable, __file__, "--add", str(file), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() != HALF:
                found: dict[str, float] = json.loads(line)
                return found
            if kill:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return {}


def digest_of(file: Path) -> str:
    """What the corpus of a file must be."""
    digest = CorpusDigest()
    for passage in read_passages(file):
        digest.add(passage.external_id, passage.text)
    return digest.hexdigest()


def stored_digest(database: Path) -> str | None:
    """What the corpus is."""
    store = open_store(f"sqlite:///{database}")
    with store.session() as session:
        found = get_corpus(session, "web").sha256
    store.engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs=2, default=[100, 1000], metavar=("SMALL", "LARGE"))
    parser.add_argument("--folder", type=Path, help="Where files and databases are put; default: /tmp.")
    parser.add_argument("--add", nargs=2, metavar=("FILE", "DATABASE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.add:
        add(*given.add)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        small, large = folder / "small.jsonl.zst", folder / "large.jsonl.zst"
        for path, size in zip((small, large), given.megabytes, strict=True):
            make_file(path, size * 1_000_000)
            print(f"{size:,} MB of lines, {path.stat().st_size / 1e6:,.0f} MB compressed", flush=True)
        one = adding(small, folder / "small.db")
        print(f"small: {one}", flush=True)
        started = time.monotonic()
        adding(large, folder / "large.db", kill=True)
        print(f"large, killed half-way after {time.monotonic() - started:.0f} s", flush=True)
        rest = adding(large, folder / "large.db")
        print(f"large, resumed: {rest}", flush=True)
        same = stored_digest(folder / "large.db") == digest_of(large)
    finish(
        "corpus",
        [
            Check("peak memory, small", one["peak"], "MiB"),
            Check("peak memory, large, resumed after SIGKILL", rest["peak"], "MiB"),
            Check("large ÷ small", rest["peak"] / one["peak"], "×", reach=1.3, at_most=True),
            Check("passages that were not stored again", rest["resumed"] / rest["passages"], "of all"),
            Check("digest after the kill is the file's", float(same), "1 = yes", reach=1.0),
            Check("seconds for the small one", one["seconds"], "s"),
            Check("seconds for the second half of the large one", rest["seconds"], "s"),
        ],
    )


if __name__ == "__main__":
    main()
