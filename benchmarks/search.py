"""Search: latency, recall@10 and bytes of every index kind at 10k to 10M rows, beside one reading of the rows.

    python benchmarks/search.py [--rows 10000,100000,1000000,10000000] [--kinds rabitq2] [--folder DIR] [--again 25600]

Rows are synthetic, with the spectrum of the demo's encodings, in files as `startrail index` writes them; a query is a row
with some noise, one at a time. Figures are medians over turns of one reading and one query; before each, caches are
swept, because a trace searches after it has encoded its query, when rows are in memory and no longer in a cache. Opening
is timed as a worker does it the second time: files were compared with their checksums before. What a worker holds for a
small kind is measured in a process of its own.

Of more than a million rows 262,144 are in files, and are read again and again with other signs: as far from each other as
rows drawn anew, for their numbers are as often above zero as below. There the exact search and the reading are timed over the
files and counted up. To make codes of ten million takes two cores half an hour; with `--again N` the codes of those in files
are scanned again and again, and N candidates are ranked again: time and memory, and no recall. What a search of a part of
the rows finds is asked by benchmarks/lists.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from _report import Check, finish

from app.errors import UserError
from app.files import write_json
from app.retrieval.codes import rows_sha256
from app.retrieval.recall import KnownBest, asked_of
from app.retrieval.search import Search, open_search
from app.trackstar.config import EncodingConfig
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.manifest import ContentIdentity, IndexManifest, Shard
from app.trackstar.rows import MappedRows
from app.trackstar.shards import drop_notes, write_shard

K, QUERIES = 10, 20
SHARD = 4_096
IN_FILES = 1_000_000  # rows; of more, BASE are
BASE = 262_144
LOOKED_AT = 200_000_000  # rows until memory is read, by 200 queries at most
SWEEP = np.ones(1 << 25, dtype=np.uint64)  # 256 MiB, more than any cache
HELD = """
import sys
from pathlib import Path
import numpy as np
from app.retrieval.search import open_search
from app.trackstar.index import open_index
def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024
index = open_index(Path(sys.argv[1]))
before = held()
search = open_search(index, sys.argv[2])
for row in np.random.default_rng(2).integers(0, index.manifest.passages, int(sys.argv[3])):
    search.search(index.take(np.array([row])), 10)
print(held() - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="10000,100000,1000000,10000000", help="sizes, separated by commas")
    parser.add_argument("--dimension", type=int, default=4_096)
    parser.add_argument("--kinds", default="rabitq2,rabitq1", help="small kinds, separated by commas")
    parser.add_argument(
        "--again", type=int, default=0, help="candidates; scan the same codes again and again"
    )
    parser.add_argument("--folder", type=Path, help="where the rows are written; default: the system's")
    given = parser.parse_args()
    checks: list[Check] = []
    print(f"{'rows':>9} {'kind':<8} {'ms':>9} {'× exact':>8} {'recall@10':>10} {'MiB':>9} {'smaller':>8}")
    for count in [int(each) for each in given.rows.split(",")]:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            checks += size_of(
                Path(folder, "index"), count, given.dimension, given.kinds.split(","), given.again
            )
    finish("search", checks)


def size_of(place: Path, count: int, dimension: int, kinds: list[str], again: int) -> list[Check]:
    """Everything about one number of rows."""
    shards = make_files(place, BASE if count > IN_FILES else count, dimension)
    files = index = write_manifest(place, shards, dimension)
    if count > IN_FILES:
        index = write_manifest(place, repeated(shards, count), dimension)
        index = replace(index, rows=SignedRows(place, index.manifest.shards, dimension, index.checksums))
        count = index.manifest.passages
    files.verify()
    opening = statistics.median(timed(partial(open_index, place)) for _ in range(5))
    searches: dict[str, Search] = {"exact": open_search(files, "exact")}
    for kind in kinds:
        began = time.perf_counter()
        try:
            if again and index is not files:
                open_search(files, kind)
                scan_again(place / kind, index, again)
            searches[kind] = open_search(index, kind)
        except UserError as error:
            print(f"{count:>9,} {kind:<8} {error.message}")
        print(f"{count:>9,} {kind:<8} after {time.perf_counter() - began:.0f} s")
    asked = queries(index)
    read, took = turns(files, searches, asked)
    more = count / files.manifest.passages
    read, took["exact"] = more * read, more * took["exact"]
    truth = None if again else asked_of(index, asked)
    checks = [
        Check(f"opening, {count:,} rows", opening * 1e3, "ms"),
        Check(f"exact search / reading its bytes once, {count:,} rows", took["exact"] / read, "×", 1.2, at_most=True),
    ]  # fmt: skip
    for kind, search in searches.items():
        size = (
            2 * count * dimension if kind == "exact" else place_bytes(place / kind) * (more if again else 1)
        )
        smaller = 4 * count * dimension / size
        recall = found_of(truth, search) if truth and (kind != "exact" or more == 1) else float("nan")
        slower = took[kind] / took["exact"]
        print(
            f"{count:>9,} {kind:<8} {took[kind] * 1e3:>9.2f} {slower:>8.2f} {recall:>10.3f} {size / 2**20:>9.1f} {smaller:>8.1f}"
        )
        if kind == "exact":
            continue
        asks = min(200, LOOKED_AT // count)
        grown = held(place, kind, asks)
        checks += [Check(f"recall@10 of {kind}, {count:,} rows", recall, "", 0.99)] if truth else []
        checks += [
            Check(f"{kind}: float32 rows / its bytes, {count:,} rows", smaller, "×", 15),
            Check(f"{kind} / exact search, {count:,} rows", slower, "×", 1, at_most=True),
            Check(
                f"{kind}: memory after {asks} queries / its bytes, {count:,} rows",
                grown / size,
                "×",
                1.1,
                at_most=True,
            ),
        ]
    return checks


def make_files(place: Path, count: int, dimension: int) -> list[Shard]:
    """Unit rows whose eigenvalues fall as those of the demo's index, a file at a time.

    Whitening leaves them rather flat: of 4,096 the 1st, 100th, 1,000th and 3,000th hold 26, 9.6, 3.5 and 0.6 ten-thousandths
    of the sum, about as rank^(-0.16) · exp(-3.4 rank / d).
    """
    place.mkdir()
    rng = np.random.default_rng(0)
    rank = np.arange(1, dimension + 1, dtype=np.float32)
    scale = np.sqrt(rank**-0.16 * np.exp(-3.4 * rank / dimension))
    shards = []
    for number, start in enumerate(range(0, count, SHARD)):
        piece = rng.standard_normal((min(SHARD, count - start), dimension), dtype=np.float32) * scale
        piece /= np.linalg.norm(piece, axis=1, keepdims=True)
        shards.append(write_shard(place, number, start, piece, 1.0, {}).shard)
    drop_notes(place)
    return shards


def repeated(shards: list[Shard], count: int) -> list[Shard]:
    """The same files again and again, until there are so many rows."""
    return [
        replace(shard, start=turn * BASE + shard.start)
        for turn in range(-(-count // BASE))
        for shard in shards
    ]


def scan_again(codes: Path, index: TrackstarIndex, candidates: int) -> None:
    """Have the codes of the rows in files count for all of an index's rows."""
    manifest = json.loads((codes / "manifest.json").read_text())
    shards = repeated([Shard(**shard) for shard in manifest["shards"]], index.manifest.passages)
    manifest |= {
        "shards": [asdict(shard) for shard in shards],
        "rows_sha256": rows_sha256(index),
        "candidates": candidates,
    }
    write_json(codes / "manifest.json", manifest)


def write_manifest(place: Path, shards: list[Shard], dimension: int) -> TrackstarIndex:
    """The index of these rows."""
    IndexManifest(
        model=ContentIdentity("synthetic", "0"), corpus=ContentIdentity("synthetic", "0"),
        method=EncodingConfig(groups=1, projection_dim=1), dimension=dimension, second_moments=None, hessian=None,
        row_scale=1.0, counts={"passages": sum(shard.rows for shard in shards)}, zero_rows=[], shards=shards, files={},
        build={},
    ).write(place)  # fmt: skip
    return open_index(place)


class SignedRows(MappedRows):
    """Rows of files that come again and again, each time with other signs."""

    def __getitem__(self, number: int) -> np.ndarray:
        """The rows of one file, as they are this time."""
        return (super().__getitem__(number).view(np.uint16) ^ self._signs(number)).view(np.float16)

    def _read(self, number: int, rows: np.ndarray, into: np.ndarray) -> None:
        super()._read(number, rows, into)
        into.view(np.uint16)[:] ^= self._signs(number)

    def _signs(self, number: int) -> np.ndarray:
        turn = number * SHARD // BASE
        return np.random.default_rng(turn).integers(0, 2 if turn else 1, self.width, dtype=np.uint16) << 15


def found_of(truth: KnownBest, search: Search) -> float:
    """The share of the ten best that a search finds."""
    found = search.search(truth.queries, K)[1]
    return float(
        np.mean(
            [
                min(k, len(np.intersect1d(good, own))) / k
                for (good, k), own in zip(truth.best, found, strict=True)
            ]
        )
    )


def queries(index: TrackstarIndex, count: int = QUERIES) -> np.ndarray:
    """Rows with some noise."""
    rng = np.random.default_rng(1)
    asked = index.take(np.sort(rng.integers(0, index.manifest.passages, count)))
    asked += 0.5 * rng.standard_normal(asked.shape, dtype=np.float32) / np.sqrt(asked.shape[1])
    return asked


def turns(
    files: TrackstarIndex, searches: dict[str, Search], asked: np.ndarray
) -> tuple[float, dict[str, float]]:
    """Median seconds of one core reading all files once, and of one query by kind, in turns; the first warms up."""
    shards = [shard.reshape(-1).view(np.uint64) for shard in files.rows]
    read: list[float] = []
    took: dict[str, list[float]] = {kind: [] for kind in searches}
    for number in range(len(asked)):
        np.bitwise_or.reduce(SWEEP)
        read.append(timed(lambda: [np.bitwise_or.reduce(words) for words in shards]))
        for kind, search in searches.items():
            np.bitwise_or.reduce(SWEEP)
            took[kind].append(timed(partial(search.search, asked[number : number + 1], K)))
    return statistics.median(read[1:]), {kind: statistics.median(each[1:]) for kind, each in took.items()}


def place_bytes(codes: Path) -> int:
    """Bytes that a kind scans."""
    return sum(file.stat().st_size for file in codes.iterdir())


def held(place: Path, kind: str, asks: int) -> int:
    """Bytes by which a process grows that opens a kind and asks it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", HELD, str(place), kind, str(asks)]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def timed(work: Callable[[], object]) -> float:
    """Seconds of it."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
