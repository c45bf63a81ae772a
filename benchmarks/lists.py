"""Lists on the rows of an index that is there: what share of them a recall takes, and what a question costs.

    python benchmarks/lists.py INDEX --prompts SET [--home startrail-home] [--rows DIR]

KnownBest are prompts of the set with their targets, as `startrail reindex --index lists` asks them, and passages of the index
themselves, which is what people measure who have no questions; opponents are the most negative for the questions.
Everything is made in a temporary directory; the index is not touched. Then one question at a time is searched by every
kind in turns, by one thread: lists look at as many as a recall of 0.9 takes, for questions and for passages, also where
they are refused. With `--rows` only that index's passages are asked, and neither model nor store is needed.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _report import Check, finish

from app.retrieval.codes import Codes, CodesManifest
from app.retrieval.coding import coded, trained
from app.retrieval.kinds import KINDS
from app.retrieval.lists import MOST, MOST_ASKED, ListCurve, Lists, ListScan, curve_of, make_lists
from app.retrieval.recall import asked_of, measured, shuffled
from app.retrieval.scan import CodeScan
from app.retrieval.search import CodedSearch, Search, open_search
from app.runs.index_care import questions_of
from app.settings import Settings
from app.store.engine import open_store
from app.trackstar.checksums import Checksums
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.rows import MappedRows
from app.trackstar.shards import keep_rows

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
TIMED = 50


def main() -> None:
    given = arguments()
    settings = Settings(home=given.home.resolve(), device="cpu")
    place = given.rows or settings.indexes / given.index
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "index")
        copy.mkdir()
        for file in place.iterdir():
            if file.is_file():
                (copy / file.name).symlink_to(file.resolve())
        index = open_index(copy)
        work = Path(folder, "lists")
        questions = np.zeros((MOST_ASKED, index.manifest.dimension), dtype=np.float32)
        if not given.rows:
            questions = questions_of(settings, open_store(settings.url), given.prompts)(open_index(place))
        lists = make_lists(index, work, lambda _: questions)
        drawn = np.sort(shuffled(index)[:MOST_ASKED])
        passages = curve_of(index, lists, asked_of(index, index.take(drawn), drawn))
        print(
            f"{len(lists.order):,} rows in {len(lists.centroids)} lists; recall of the ten best by share of the rows"
        )
        print(f"{'asked':<12}{'':>5}" + "".join(f"{share:>8.2f}" for share in SHARES) + "   0.9 takes")
        show("passages", passages)
        checks = [Check("share that 0.9 takes, passages asked", passages.part.share, "", MOST, at_most=True)]
        if not given.rows:
            curve = curve_of(index, lists, asked_of(index, questions))
            show("questions", curve)
            show("opponents", curve_of(index, lists, asked_of(index, -questions)))
            checks.append(
                Check("share that 0.9 takes, questions asked", curve.part.share, "", MOST, at_most=True)
            )
            timed(index, lists, work, questions, passages, curve)
    finish("lists", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", nargs="?", default="demo")
    parser.add_argument("--prompts", default="demo", help="prompt set in the home's store")
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("STARTRAIL_HOME", "startrail-home")))
    parser.add_argument("--rows", type=Path, help="an index's directory, whose passages alone are asked")
    return parser.parse_args()


def show(name: str, curve: ListCurve) -> None:
    """A line of the table."""
    mean = curve.recalls.mean(0)
    at = [min(int(np.searchsorted(curve.shares, share)), len(mean) - 1) for share in SHARES]
    told = "".join(f"{mean[each]:>8.3f}" for each in at)
    print(f"{name:<12}{curve.asked:>5}{told}   {curve.part.share:.2f} ({curve.part.lists} lists)")


def timed(index: TrackstarIndex, lists: Lists, work: Path, questions: np.ndarray, *curves: ListCurve) -> None:
    """Milliseconds of a question by each kind, and what of exact search's ten best it finds."""
    kind = KINDS["lists"]
    assert kind.coding
    empty = trained(index, kind, work / "quantiser.faiss")
    shard = keep_rows(work / "codes-00000.npy", 0, coded(index, empty, lists.order)).shard
    rows = MappedRows(work, [shard], empty.code_size, Checksums(work, {shard.file: shard.sha256}), np.uint8)
    candidates = measured(
        index, ListScan(lists, CodeScan(empty, rows)).best_of_all, [asked_of(index, questions)]
    ).candidates
    searches: dict[str, Search] = {each: open_search(index, each) for each in ("exact", "rabitq2")}
    for curve in curves:
        part = curve.part
        manifest = CodesManifest(kind.name, "", "", rows.width, candidates, part.recall, [shard], {}, part)
        searches[f"lists, {part.share:.2f}"] = CodedSearch(index, Codes(work, manifest, empty, rows, lists))
    asked = questions[np.random.default_rng(0).permutation(len(questions))[: TIMED + 1]]
    took: dict[str, list[float]] = {name: [] for name in searches}
    found: dict[str, list[float]] = {name: [] for name in searches}
    for query in asked:
        best: set[int] = set()
        for name, search in searches.items():
            started = time.perf_counter()
            rows = search.search(query[None], 10)[1][0]
            took[name].append(time.perf_counter() - started)
            best = best or set(rows.tolist())
            found[name].append(len(best & set(rows.tolist())) / len(best))
    for name, each in took.items():
        print(
            f"{name:<12} {statistics.median(each[1:]) * 1e3:>7.2f} ms   {statistics.fmean(found[name]):.3f} of the ten best"
        )


if __name__ == "__main__":
    main()
