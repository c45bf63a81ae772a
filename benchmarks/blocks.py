"""How to spend the numbers of a row: blocks, p and the draw of the projection, pair by pair.

    python benchmarks/blocks.py [--home startrail-home] [--index demo] [--prompts demo] [--facts 650]
                                [--only "2 × 64²; 4 × 22²"] [--no-steps]

Rows of about 4,096 numbers can be two groups of layers by 32² (what an index has), one by 45², four by 22², or a block of
12² for each weight; of a quarter of the numbers or four times as many, 2 × 16² and 2 × 64². Two other draws say how much
of a difference is chance, and two draws of 2 × 22², their scores averaged, whether several small projections do better
than one large one; R of 512, 1,024 and 16,384 passages how large a sample has to be; one row is without V, three have
another damping of R. One pass over the corpus makes all of them; V and the unit norm are the index's own. For facts of a
prompt set drawn at random: of the first ten how many state the fact, where the first does, and what one training step on
each of the first ten does to the answer's probability, in points, with 95 % intervals (bootstrap over facts); and each of
them less the index's own. `--no-steps` leaves the steps out, for a model that finds every answer all but impossible:
points cannot tell there.
"""

import argparse
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _report import Check, finish
from two_stages import MEASURES, facts_of, measured, stepped

from app.evaluation.metrics import estimate, paired_difference
from app.models.batching import length_batches
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.settings import Settings
from app.store.engine import open_store
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.trace_engine import use_threads
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import BATCH_TOKENS, finished
from app.trackstar.hessian import Autocorrelation, fit_whitening
from app.trackstar.projected_gradients import ProjectedGradients
from app.trackstar.projection import project_weights
from app.trackstar.sampling import sample_size

CANDIDATES = 100


Projection = tuple[int, int, int, bool, bool]
"""Groups, p, draw, a block for each weight, divided by the root of V: rows that differ in R alone share one."""


@dataclass(frozen=True)
class Row:
    """What a row is made of.

    Args:
        seeds: one projection of each, whose scores are averaged.
        sample: passages that R is fitted on; 0: four for each number of a block, as an index has it.
        divided: by the root of V, as an index's are.
        damping: of R; 0: the index's own.
    """

    groups: int
    p: int
    seeds: tuple[int, ...] = (0,)
    each_weight: bool = False
    sample: int = 0
    divided: bool = True
    damping: float = 0.0

    def projection(self, seed: int) -> Projection:
        return self.groups, self.p, seed, self.each_weight, self.divided

    @property
    def name(self) -> str:
        drawn = "" if self.seeds == (0,) else f", draw {' and '.join(map(str, self.seeds))}"
        fitted = f", R of {self.sample:,}" if self.sample else ""
        plain = "" if self.divided else ", no V"
        damped = f", damping {self.damping:g}" if self.damping else ""
        return (
            f"{'each weight' if self.each_weight else self.groups} × {self.p}²{drawn}{fitted}{plain}{damped}"
        )


BASE = Row(2, 32)
ROWS = (
    BASE,
    Row(2, 32, sample=512),
    Row(2, 32, sample=1_024),
    Row(2, 32, sample=16_384),
    Row(2, 32, (1,)),
    Row(2, 32, (2,)),
    Row(2, 32, divided=False),
    Row(2, 32, damping=0.001),
    Row(2, 32, damping=0.1),
    Row(2, 32, damping=10),
    Row(1, 45),
    Row(4, 22),
    Row(0, 12, each_weight=True),
    Row(2, 16),
    Row(2, 64),
    Row(2, 22),
    Row(2, 22, (0, 1)),
)


class Together:
    """Several projections of the same gradients in one pass through the model."""

    def __init__(self, sinks: Sequence[ProjectedGradients]) -> None:
        self.sinks = sinks

    def begin(self, examples: int) -> None:
        for sink in self.sinks:
            sink.begin(examples)

    def forward(self, at: int, x: torch.Tensor) -> list[torch.Tensor]:
        return [sink.forward(at, x) for sink in self.sinks]

    def backward(self, at: int, kept: list[torch.Tensor], gradient: torch.Tensor) -> None:
        for sink, own in zip(self.sinks, kept, strict=True):
            sink.backward(at, own, gradient)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(os.environ.get("STARTRAIL_HOME", "startrail-home"))
    parser.add_argument("--home", type=Path, default=home)
    parser.add_argument("--index", default="", help="the home's own, where it is not said")
    parser.add_argument("--prompts", default="demo", help="a prompt set whose facts know what states them")
    parser.add_argument("--facts", type=int, default=650)
    parser.add_argument("--no-steps", action="store_true")
    parser.add_argument("--only", default="", help="some of the rows, by name, with semicolons between")
    asked = parser.parse_args()
    only = {name.strip() for name in asked.only.split(";")}
    wanted = [row for row in ROWS if not asked.only or row.name in {BASE.name, *only}]
    settings = Settings(home=asked.home.resolve(), device="cpu")
    use_threads()
    store = open_store(settings.url)
    loaded = open_loaded(settings, store, asked.index or settings.default_index)
    facts, lessons = facts_of(store, loaded, asked.facts, asked.prompts)
    texts, method = loaded.model.texts, loaded.index.manifest.method
    passages = texts.passages(lessons)
    queries = [texts.query(query) for query, _ in facts]
    encoded, queried = (projected(loaded, wanted, examples) for examples in (passages, queries))
    lists = {row.name: ranked(row, method, encoded, queried) for row in wanted}
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in lists}
    for at, (query, stating) in enumerate(facts):
        changes = (
            {} if asked.no_steps else stepped(loaded, query, (rows[at] for rows in lists.values()), lessons)
        )
        for name, rows in lists.items():
            figures[name].append(measured(rows[at], stating, changes))
        print(f"{at + 1} of {len(facts)} facts stepped", end="\r", flush=True)
    finish("blocks", reported(figures, MEASURES[:2] if asked.no_steps else MEASURES))


def projected(
    loaded: LoadedIndex, rows: Sequence[Row], examples: Sequence[TrainingExample]
) -> dict[Projection, torch.Tensor]:
    """Projected gradients of examples by each projection of the rows, (n, numbers) float32 each."""
    model, method = loaded.model, loaded.index.manifest.method
    capture = Capture(model, method.loss)
    sinks = {}
    for row, seed in [(each, seed) for each in rows for seed in each.seeds]:
        own = method_of(row, seed, method)
        divisor = loaded.encoder.moments if row.divided else None
        weights = project_weights(model.weights, own, divisor, device=model.device, dtype=model.dtype)
        if row.each_weight:
            weights = [replace(one, block=at) for at, one in enumerate(weights)]
        blocks = len(weights) if row.each_weight else own.blocks
        sinks[row.projection(seed)] = ProjectedGradients(weights, capture.first_readers, blocks)
    together = Together(list(sinks.values()))
    out = {key: torch.zeros(len(examples), sink.count * sink.p**2) for key, sink in sinks.items()}
    done = 0
    for batch in length_batches([one.size for one in examples], BATCH_TOKENS):
        capture.run([examples[row] for row in batch], together)  # type: ignore[arg-type]  # what it keeps it gets back
        for key, sink in sinks.items():
            out[key][batch] = sink.blocks.flatten(1)
        done += len(batch)
        print(f"{done:,} of {len(examples):,} encoded", end="\r", flush=True)
    return out


def method_of(row: Row, seed: int, method: EncodingConfig) -> EncodingConfig:
    return replace(method, groups=max(1, row.groups), projection_dim=row.p, seed=seed)


def ranked(
    row: Row,
    method: EncodingConfig,
    encoded: dict[Projection, torch.Tensor],
    asked: dict[Projection, torch.Tensor],
) -> list[list[int]]:
    """The rows of the first hundred passages for each query, best first."""
    scores = []
    for seed in row.seeds:
        key, own = row.projection(seed), method_of(row, seed, method)
        train = Autocorrelation(encoded[key].shape[1] // own.block_size, own.block_size)
        size = min(len(encoded[key]), sample_size(own, row.sample or None))
        train.add(encoded[key][random.Random(0).sample(range(len(encoded[key])), size)])
        damping = row.damping or own.damping
        whitening = fit_whitening(train, None, mixing=None, rank=own.rank, damping=damping)
        scores.append(finished(asked[key], own, whitening) @ finished(encoded[key], own, whitening).T)
    return [
        [int(at) for at in np.argsort(-own, kind="stable")[:CANDIDATES]] for own in np.mean(scores, axis=0)
    ]


def reported(figures: dict[str, list[tuple[float, float, float]]], measures: tuple[str, ...]) -> list[Check]:
    checks = []
    for at, measure in enumerate(measures):
        columns = {name: [values[at] for values in of] for name, of in figures.items()}
        for name, values in columns.items():
            own, gap = estimate(values), paired_difference(values, columns[BASE.name])
            if own and gap:
                line = f"{measure:<16} {name:<24} {own.mean:.3f} [{own.low:.3f}, {own.high:.3f}]"
                print(f"{line}   less {BASE.name}: {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
                checks.append(Check(f"{measure}: {name}", own.mean, ""))
    return checks


if __name__ == "__main__":
    main()
