"""Whether the chance floor is honest: what has nothing to do with a query stays below it, what stands above it acts.

    python benchmarks/chance.py [--home startrail-home] [--index demo] [--run trackstar] [--queries 2000]

Null queries are encodings of real prompts whose coordinates are shuffled: as long as a real query, of the same
coordinates, and related to nothing. Three ways of it, from the crudest to one that keeps the blocks' rows and columns
together. Of their lists no more than 5 % may have anything above the floor. The training steps are those of the run's
proponents that `startrail evaluate --tail-patch 10` measured; without them that check is left out. The floors of other
models of chance, by the same scores, stand beside for comparison: why we chose this one.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
from _report import Check, finish
from scipy import stats
from sqlalchemy import select

from app.models.load import load_model
from app.models.text import Query
from app.retrieval.chance import ALPHA, Unrelated, best_of, search_with_chance
from app.retrieval.search import open_search
from app.settings import Settings
from app.store.engine import Store, open_store
from app.store.runs import get_run
from app.store.tables import Prompt, Result, Retrieved
from app.trackstar.index import TrackstarIndex, open_index

TOP = 10
MODELS = 200  # queries on which other models of chance are tried, with all scores


def main() -> None:
    asked = arguments()
    settings = Settings(home=asked.home.resolve(), device="cpu")
    store = open_store(settings.url)
    index = open_index(settings.indexes / asked.index)
    with store.session() as session:
        run = get_run(session, asked.run)
        prompts = session.execute(
            select(Prompt.text, Prompt.target).where(Prompt.prompt_set_id == run.prompt_set_id)
        ).all()
    model = load_model(settings.models / index.manifest.model.name, device="cpu")
    queries = index.encoder(model).encode_queries([Query.of_target(text, target) for text, target in prompts])
    checks = null_lists(index, queries, asked.queries) + steps(store, asked.run)
    checks += other_models(index, queries)
    finish("chance", checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(os.environ.get("STARTRAIL_HOME", "startrail-home"))
    parser.add_argument("--home", type=Path, default=home)
    parser.add_argument("--index", default="demo")
    parser.add_argument("--run", default="trackstar")
    parser.add_argument("--queries", type=int, default=2_000, help="null queries of each kind")
    return parser.parse_args()


def permuted(query: np.ndarray, shape: tuple[int, int, int], chance: np.random.Generator) -> np.ndarray:
    """All coordinates in another order."""
    return chance.permutation(query)


def flipped(query: np.ndarray, shape: tuple[int, int, int], chance: np.random.Generator) -> np.ndarray:
    """Each coordinate with a sign of its own."""
    return query * chance.choice(np.array([-1, 1], dtype=np.float32), query.size)


def rearranged(query: np.ndarray, shape: tuple[int, int, int], chance: np.random.Generator) -> np.ndarray:
    """The rows and the columns of each block in another order."""
    blocks = [
        block[chance.permutation(shape[1])][:, chance.permutation(shape[2])] for block in query.reshape(shape)
    ]
    return np.concatenate(blocks).ravel()


NULLS: dict[str, Callable[[np.ndarray, tuple[int, int, int], np.random.Generator], np.ndarray]] = {
    "coordinates shuffled": permuted,
    "signs drawn": flipped,
    "rows and columns of blocks shuffled": rearranged,
}


def null_lists(index: TrackstarIndex, queries: np.ndarray, count: int) -> list[Check]:
    """The share of null queries' lists with anything beyond the floor, of each side."""
    search, unrelated, chance = open_search(index), Unrelated(index), np.random.default_rng(0)
    side = index.manifest.method.projection_dim
    checks: list[Check] = []
    for name, null in NULLS.items():
        drawn = queries[chance.integers(len(queries), size=count)]
        made = np.stack([null(query, (-1, side, side), chance) for query in drawn])
        _, _, told = search_with_chance(search, unrelated, made, TOP, TOP)
        for what, beyond in (("proponents", "above"), ("opponents", "opponents_beyond")):
            share = 100 * sum(bool(getattr(each, beyond)) for each in told) / len(told)
            checks.append(Check(f"null lists with {what} beyond the floor, {name}", share, "%", 5.0, True))
    return checks


def steps(store: Store, slug: str) -> list[Check]:
    """The mean training step of proponents above their floor, against that of those below."""
    with store.session() as session:
        run = get_run(session, slug)
        rows = session.execute(
            select(Retrieved.score, Result.chance_floor, Retrieved.tail_patch)
            .join(Result, Result.id == Retrieved.result_id)
            .where(
                Result.run_id == run.id,
                Retrieved.side == "proponent",
                Retrieved.rank <= TOP,
                Retrieved.tail_patch.is_not(None),
                Result.chance_floor.is_not(None),
            )
        ).all()
    if not rows:
        print(
            f"No step of the run “{slug}” stands beside a floor: startrail evaluate --tail-patch 10 measures them."
        )
        return []
    scores, floors, changes = np.array(rows, dtype=np.float64).T
    above = scores > floors
    acting, idle = float(changes[above].mean()), float(changes[~above].mean())
    return [
        Check("mean step above the floor / below it", acting / idle, "×", 4.0),
        Check("mean step above the floor", acting, "points"),
        Check("mean step below it", idle, "points"),
        Check("proponents shown that are below it", 100 * float((~above).mean()), "%"),
        Check("steps compared", float(len(rows)), ""),
    ]


def other_models(index: TrackstarIndex, queries: np.ndarray) -> list[Check]:
    """The share of real lists that have anything above the floor, by each model of chance; of it all scores are used."""
    rows = np.concatenate([np.asarray(shard, dtype=np.float32) for shard in index.rows])
    chosen = queries[np.random.default_rng(1).permutation(len(queries))[:MODELS]]
    scores = (chosen @ rows.T).astype(np.float64)
    models = {
        "normal by the middle (ours)": normal,
        "Student’s t": students,
        "extreme values of the tail": extreme,
    }
    return [
        Check(
            f"real lists with something above the floor, {name}",
            100 * sum(bool(own.max() > model(own)) for own in scores) / len(scores),
            "%",
        )
        for name, model in models.items()
    ]


def normal(scores: np.ndarray) -> float:
    low, middle, high = np.quantile(scores, [0.2, 0.5, 0.8])
    return float(middle + best_of(len(scores)) * (high - low) / (2 * NormalDist().inv_cdf(0.8)))


def students(scores: np.ndarray) -> float:
    """A Student-t whose middle half and outer hundredths are those of the scores."""
    low, quarter, middle, three, high = np.quantile(scores, [0.01, 0.25, 0.5, 0.75, 0.99])
    freedom = np.geomspace(2, 1e5, 200)
    ratios = stats.t.ppf(0.99, freedom) / stats.t.ppf(0.75, freedom)
    own = freedom[np.argmin(np.abs(ratios - (high - low) / (three - quarter)))]
    scale = (three - quarter) / 2 / stats.t.ppf(0.75, own)
    return float(middle + scale * stats.t.isf(ALPHA / len(scores), own))


def extreme(scores: np.ndarray) -> float:
    """A generalised Pareto tail fitted to the highest twentieth."""
    start = np.quantile(scores, 0.95)
    shape, _, scale = stats.genpareto.fit(scores[scores > start] - start, floc=0)
    return float(start + stats.genpareto.isf(ALPHA / (0.05 * len(scores)), shape, scale=scale))


if __name__ == "__main__":
    main()
