"""Encoding, and ordering candidates by EK-FAC, on the members of a Ray of this machine, beside one process on the same cores;
and whether what comes out is equal.

    python benchmarks/cluster.py --home startrail-home [--index demo --passages 4096 --prompts 48 --threads 2 --rounds 3]

Both are warm: model loaded, work begun. One process computes with `--threads`, each member with one.
An index with factors is one of `startrail index --rerank ekfac`, as the demo's is. Needs the extra `ray`.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import Check, finish

from app.cluster.hiring import members_of
from app.cluster.joining import Cluster
from app.curvature.deciding import CANDIDATES, Candidates, InOrder
from app.curvature.place import manifest_of
from app.digests import file_sha256
from app.models.hands import Hands, Work, own_hands, unheard
from app.models.load import LoadedModel, load_model
from app.models.text import Query
from app.runs.building_corpus import stored_corpus
from app.store.engine import open_store
from app.store.prompts import get_prompt_set, list_prompts
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import EncodedPassages, PassageRows
from app.trackstar.fit import fit_moments
from app.trackstar.index import TrackstarIndex, open_index
from app.trackstar.parts import Parts
from app.words.roles import Lesson

METHOD = EncodingConfig.preset("+V")
BATCH_TOKENS = 2048


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    index = open_index((options.home / "indexes" / options.index).resolve())
    path = options.home / "models" / index.manifest.model.name
    loaded = load_model(path, **index.manifest.opening)
    lessons = passages(options, index.manifest.corpus.name)
    cluster = Cluster("local", members=options.members)
    checks: list[Check] = []
    with cluster.joined() as ray:
        spread = members_of(ray, cluster, {"path": path, **index.manifest.opening}, "cpu")(loaded)
        hands: dict[str, Hands[LoadedModel]] = {"one process": own_hands(loaded), "members": spread}
        for what, unit, (work, pieces), count in (
            ("encoding", "passages", encoding(loaded, lessons, options.piece), len(lessons)),
            ("ordering by EK-FAC", "prompts", ordering(index, loaded, lessons, options), options.prompts),
        ):
            checks += beside(f"{what}, {unit}", hands, work, pieces, count, options)
    finish("cluster", checks)


def beside(
    what: str,
    hands: Mapping[str, Hands[LoadedModel]],
    work: Work[LoadedModel, Any],
    pieces: Sequence[Sequence[Any]],
    count: int,
    options: argparse.Namespace,
) -> list[Check]:
    """The same work by one process and by members, in turns."""
    first = {name: arrays(each.each(work, pieces[: options.members])) for name, each in hands.items()}
    times: dict[str, list[float]] = {name: [] for name in hands}
    for _ in range(options.rounds):
        for name, each in hands.items():
            started = time.perf_counter()
            for _ in each.each(work, pieces):
                pass
            times[name].append(time.perf_counter() - started)
    for name, seconds in times.items():
        print(f"  {what}, {name:<12} {count / statistics.median(seconds):>8,.1f} a second")
    ratio = statistics.median(
        one / other for one, other in zip(times["one process"], times["members"], strict=True)
    )
    equal = all(map(np.array_equal, first["one process"], first["members"]))
    title = f"{what}: {options.members} members / one process of {options.threads} threads"
    return [Check(title, ratio, "×", 0.9), Check(f"{what}: equal, to the bit", float(equal), "", 1.0)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("startrail-home"))
    parser.add_argument("--index", default="demo", help="with EK-FAC's factors")
    parser.add_argument("--asked", default="demo", help="a prompt set")
    parser.add_argument("--prompts", type=int, default=48, help="of it, whose candidates are put in order")
    parser.add_argument("--passages", type=int, default=4096)
    parser.add_argument("--piece", type=int, default=256, help="passages that a member is given at a time")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        help="of one process; where others keep the cores busy two wait for each other, busily: give 1",
    )
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def passages(options: argparse.Namespace, name: str) -> list[Lesson]:
    store = open_store(f"sqlite:///{options.home.resolve() / 'startrail.db'}")
    try:
        corpus = stored_corpus(store, name)
        return [lesson for _, lesson in islice(iter(corpus), options.passages)]
    finally:
        store.engine.dispose()


def encoding(
    loaded: LoadedModel, lessons: Sequence[Lesson], size: int
) -> tuple[PassageRows, list[Sequence[Lesson]]]:
    """What every passage becomes: with V, and without R, which is the same multiplication whoever does it."""
    pieces = [lessons[at : at + size] for at in range(0, len(lessons), size)]
    moments = fit_moments(
        loaded, METHOD, pieces[0], estimate=False, hands=own_hands(loaded), parts=Parts(), done=unheard
    )
    return PassageRows(moments, METHOD, None, BATCH_TOKENS), pieces


def ordering(
    index: TrackstarIndex, loaded: LoadedModel, lessons: Sequence[Lesson], options: argparse.Namespace
) -> tuple[InOrder, list[list[Candidates]]]:
    """A hundred passages for each prompt, drawn at random: to put them in order takes as long as those that are near."""
    store = open_store(f"sqlite:///{options.home.resolve() / 'startrail.db'}")
    with store.session() as session:
        asked = list_prompts(session, get_prompt_set(session, options.asked).id)[: options.prompts]
    store.engine.dispose()
    examples, draw = loaded.texts.passages(lessons), np.random.default_rng(0)
    pieces = []
    for prompt in asked:
        query = loaded.texts.query(Query.of_target(prompt.text, prompt.target))
        rows = draw.choice(len(examples), CANDIDATES, replace=False)
        pieces.append([Candidates(query, None, rows, [examples[row] for row in rows])])
    return InOrder(index.path, file_sha256(manifest_of(index.path)), CANDIDATES), pieces


def arrays(made: Iterable[Any]) -> list[np.ndarray]:
    """Everything that came back, in order."""
    return [each for one in made for each in ([one.rows] if isinstance(one, EncodedPassages) else one)]


if __name__ == "__main__":
    main()
