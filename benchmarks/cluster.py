"""Encoding on the members of a Ray of this machine, beside one process on the same cores; and whether the rows are equal.

    python benchmarks/cluster.py --home startrail-home [--model demo --corpus demo --passages 4096 --rounds 3]

Both are warm: model loaded, work begun. One process computes with as many threads as there are members, each of which has one.
Needs the extra `ray`.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from _report import Check, finish

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.models.hands import Hands, own_hands, unheard
from app.models.load import LoadedModel, load_model
from app.runs.building_corpus import stored_corpus
from app.store.engine import open_store
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import PassageRows
from app.trackstar.fit import fit_moments
from app.trackstar.parts import Parts
from app.words.roles import Lesson

METHOD = EncodingConfig.preset("+V")
BATCH_TOKENS = 2048


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.members)
    path = options.home / "models" / options.model
    loaded = load_model(path)
    pieces = cut(passages(options), options.piece)
    cluster = Cluster("local", members=options.members)
    with cluster.joined() as ray:
        spread = members_of(ray, cluster, {"path": path}, "cpu")(loaded)
        work = encoding(loaded, pieces[0])
        own = own_hands(loaded)
        hands: dict[str, Hands[LoadedModel]] = {"one process": own, "members": spread}
        first = {name: rows(each, work, pieces[: options.members]) for name, each in hands.items()}
        times: dict[str, list[float]] = {name: [] for name in hands}
        for _ in range(options.rounds):
            for name, each in hands.items():
                times[name].append(timed(partial(rows, each, work, pieces)))
    count = sum(map(len, pieces))
    for name, seconds in times.items():
        print(f"  {name:<12} {count / statistics.median(seconds):>8,.0f} passages/s")
    ratio = statistics.median(
        one / other for one, other in zip(times["one process"], times["members"], strict=True)
    )
    equal = np.array_equal(first["one process"], first["members"])
    finish(
        "cluster",
        [
            Check(
                f"{options.members} members of one thread / one process on the same cores", ratio, "×", 0.9
            ),
            Check("rows equal, to the bit", float(equal), "", 1.0),
        ],
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("startrail-home"))
    parser.add_argument("--model", default="demo")
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--passages", type=int, default=4096)
    parser.add_argument("--piece", type=int, default=256, help="passages that a member is given at a time")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def passages(options: argparse.Namespace) -> list[Lesson]:
    store = open_store(f"sqlite:///{options.home.resolve() / 'startrail.db'}")
    try:
        corpus = stored_corpus(store, options.corpus)
        return [lesson for _, lesson in islice(iter(corpus), options.passages)]
    finally:
        store.engine.dispose()


def cut(lessons: Sequence[Lesson], size: int) -> list[Sequence[Lesson]]:
    return [lessons[at : at + size] for at in range(0, len(lessons), size)]


def encoding(loaded: LoadedModel, sample: Sequence[Lesson]) -> PassageRows:
    """What every passage becomes: with V, and without R, which is the same multiplication whoever does it."""
    moments = fit_moments(
        loaded, METHOD, sample, estimate=False, hands=own_hands(loaded), parts=Parts(), done=unheard
    )
    return PassageRows(moments, METHOD, None, BATCH_TOKENS)


def rows(hands: Hands[LoadedModel], work: PassageRows, pieces: Sequence[Sequence[Lesson]]) -> np.ndarray:
    return np.concatenate([made.rows for made in hands.each(work, pieces)])


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
