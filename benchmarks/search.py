"""Search: latency and recall@10 of every index kind at 10k, 100k and 1M rows, beside one reading of the same bytes.

    python benchmarks/search.py [--rows 10000,100000] [--dimension 256]

Rows are synthetic, with the spectrum of the demo's encodings; a query is a row with some noise, one at a time. The
figures are medians over turns of one reading and one query. Before each, caches are swept and a few other rows searched:
a trace searches after it has encoded its query, when the rows are in memory and no longer in a cache. How the time grows
where rows stay in the caches is shown too: few rows do, many cannot. A kind that keeps fewer bits is held against as many
bytes. One core reads, as NumPy does; what all cores need for it is shown too, because a large index is searched by all.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import faiss
import numpy as np
from _report import Check, finish

from app.retrieval.kinds import KINDS
from app.retrieval.search import Search, open_search
from app.trackstar.config import EncodingConfig
from app.trackstar.index import TrackstarIndex
from app.trackstar.manifest import ContentIdentity, IndexManifest

K, QUERIES = 10, 20
SHARD = 65_536
FEW = 10_000  # rows that a product quantiser can be trained on
SWEEP = np.ones(1 << 25, dtype=np.uint64)  # 256 MiB, more than any cache


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="10000,100000,1000000", help="sizes, separated by commas")
    parser.add_argument("--dimension", type=int, default=256)
    given = parser.parse_args()
    checks: list[Check] = []
    exact: list[tuple[int, float, float]] = []
    warm: list[tuple[int, float, float]] = []
    print(f"{'rows':>9} {'kind':<8} {'ms':>9} {'× reading':>10} {'recall@10':>10} {'MiB':>8}")
    for count in [int(each) for each in given.rows.split(",")]:
        with tempfile.TemporaryDirectory() as folder:
            rows = synthetic(count, given.dimension)
            index = index_of(Path(folder), rows)
            searches = {kind: open_search(index, kind) for kind in KINDS}
            (small := Path(folder, "few")).mkdir()
            few = {kind: open_search(index_of(small, rows[:FEW]), kind) for kind in KINDS}
            took, recall, reading = measure(rows, searches, few)
            words = rows.reshape(-1).view(np.uint64)
            read, found = turns(words, searches["exact"], rows[:QUERIES].astype(np.float32), None)
            warm.append((count, found, read))
            together = reading_by_all(words)
        for kind in KINDS:
            size = bytes_a_number(kind, given.dimension)
            ratio = took[kind] / (reading[kind] * size / 2)
            print(
                f"{count:>9,} {kind:<8} {took[kind] * 1e3:>9.2f} {ratio:>10.2f} {recall[kind]:>10.3f} "
                f"{size * rows.size / 2**20:>8.1f}"
            )
        exact.append((count, took["exact"], reading["exact"]))
        checks.append(
            Check(
                f"exact search / reading its bytes once, {count:,} rows",
                took["exact"] / reading["exact"],
                "×",
                1.5,
                at_most=True,
            )
        )
        checks.append(
            Check(
                f"exact search / all cores reading them once, {count:,} rows", took["exact"] / together, "×"
            )
        )
        checks.append(
            Check(f"recall@10 of int4 (8× smaller than float32), {count:,} rows", recall["int4"], "", 0.99)
        )
    for caches, times in (("", exact), (" where caches keep what they can", warm)):
        for (fewer, *before), (more, *after) in pairwise(times):
            growth, of_reading = (
                late / early * fewer / more for early, late in zip(before, after, strict=True)
            )
            said = f"growth over growth of rows, {fewer:,} to {more:,}{caches}"
            checks.append(Check(f"search: {said}", growth, "×", None if caches else 1.0, at_most=True))
            checks.append(Check(f"reading: {said}", of_reading, "×"))
    finish("search", checks)


def bytes_a_number(kind: str, dimension: int) -> float:
    """What a row's number takes in an index of this kind."""
    size: int = faiss.index_factory(dimension, KINDS[kind].factory(dimension)).sa_code_size()
    return size / dimension


def synthetic(count: int, dimension: int) -> np.ndarray:
    """(count, dimension) float16 unit rows whose eigenvalues fall as those of the demo's index.

    Whitening leaves them rather flat: of 4,096 the 1st, 100th, 1,000th and 3,000th hold 26, 9.6, 3.5 and 0.6 ten-thousandths
    of the sum, about as rank^(-0.16) · exp(-3.4 rank / d).
    """
    rng = np.random.default_rng(0)
    rank = np.arange(1, dimension + 1, dtype=np.float32)
    scale = np.sqrt(rank**-0.16 * np.exp(-3.4 * rank / dimension))
    rows = np.empty((count, dimension), dtype=np.float16)
    for start in range(0, count, SHARD):
        piece = rng.standard_normal((min(SHARD, count - start), dimension), dtype=np.float32) * scale
        rows[start : start + len(piece)] = piece / np.linalg.norm(piece, axis=1, keepdims=True)
    return rows


def index_of(path: Path, rows: np.ndarray) -> TrackstarIndex:
    manifest = IndexManifest(
        model=ContentIdentity("synthetic", "0"), corpus=ContentIdentity("synthetic", "0"),
        method=EncodingConfig(groups=1, projection_dim=1),
        dimension=rows.shape[1], second_moments=None, hessian=None, row_scale=1.0,
        counts={"passages": len(rows)}, zero_rows=[], shards=[], files={}, build={},
    )  # fmt: skip
    return TrackstarIndex(path, manifest, [rows[at : at + SHARD] for at in range(0, len(rows), SHARD)])


def measure(
    rows: np.ndarray, searches: dict[str, Search], few: dict[str, Search]
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """By kind: median seconds of one query, recall@10 against float32, median seconds of reading the float16 rows."""
    rng = np.random.default_rng(1)
    asked = rows[rng.integers(0, len(rows), QUERIES)].astype(np.float32)
    asked += 0.03 * rng.standard_normal(asked.shape, dtype=np.float32)
    truth = searches["float32"].search(asked, K)[1]
    recall = {
        kind: float(
            np.mean(
                [len(set(a) & set(b)) / K for a, b in zip(search.search(asked, K)[1], truth, strict=True)]
            )
        )
        for kind, search in searches.items()
    }
    words = rows.reshape(-1).view(np.uint64)
    took: dict[str, float] = {}
    reading: dict[str, float] = {}
    for kind, search in searches.items():
        reading[kind], took[kind] = turns(words, search, asked, few[kind])
    return took, recall, reading


def turns(words: np.ndarray, search: Search, asked: np.ndarray, few: Search | None) -> tuple[float, float]:
    """Median seconds of reading all words once, and of one query; the first turn warms up and does not count.

    Args:
        few: the same kind over few rows: searched after the sweep, so that the code is there and the rows are not. None:
            each finds the caches as the other left them.
    """
    read, took = [], []
    for number in range(len(asked)):
        query = asked[number : number + 1]
        if few:
            np.bitwise_or.reduce(SWEEP)
        read.append(timed(partial(np.bitwise_or.reduce, words)))
        if few:
            np.bitwise_or.reduce(SWEEP)
            few.search(query, K)
        took.append(timed(partial(search.search, query, K)))
    return statistics.median(read[1:]), statistics.median(took[1:])


def timed(work: Callable[[], object]) -> float:
    """Seconds of it."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def reading_by_all(words: np.ndarray) -> float:
    """Median seconds in which all cores together read the words once, after the sweep."""
    cores = os.cpu_count() or 1
    parts = np.array_split(words, cores)
    took = []
    with ThreadPoolExecutor(cores) as threads:
        for _ in range(QUERIES):
            np.bitwise_or.reduce(SWEEP)
            took.append(timed(lambda: list(threads.map(np.bitwise_or.reduce, parts))))
    return statistics.median(took)


if __name__ == "__main__":
    main()
