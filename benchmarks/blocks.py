"""How to spend the numbers of a row: blocks, p and the draw of the projection, pair by pair.

    python benchmarks/blocks.py [--home startrail-home] [--index demo] [--prompts demo] [--facts 650]
                                [--only "2 × 64²; 4 × 22²"] [--no-steps]

Rows of about 4,096 numbers can be two groups of layers by 32² (what an index has), one by 45², four by 22², or a block of
12² for each weight; of a quarter of the numbers or four times as many, 2 × 16² and 2 × 64². Two other draws say how much
of a difference is chance, and two draws of 2 × 22², their scores averaged, whether several small projections do better
than one large one; R of 512, 1,024 and 16,384 passages how large a sample has to be; one row is without V. Each projection
passes over the corpus once; V, R's damping and the unit norm are the index's own. For facts of a prompt set drawn at
random: of the first ten how many state the fact, where the first does, and what one training step on each of the first ten
does to the answer's probability, in points, with 95 % intervals (bootstrap over facts); and each of them less the index's
own. `--no-steps` leaves the steps out, for a model that finds every answer all but impossible: points cannot tell there.
"""

import argparse
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _report import Check, finish
from two_stages import FIRST, MEASURES, facts_of, measured

from app.evaluation.metrics import estimate, paired_difference
from app.models.batching import length_batches
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.settings import Settings
from app.store.engine import open_store
from app.tracing.loaded import open_loaded
from app.tracing.trace_engine import use_threads
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import BATCH_TOKENS, finished
from app.trackstar.hessian import Autocorrelation, fit_whitening
from app.trackstar.moments import Moments
from app.trackstar.projected_gradients import ProjectedGradients
from app.trackstar.projection import project_weights
from app.trackstar.sampling import sample_size

CANDIDATES = 100


@dataclass(frozen=True)
class Row:
    """What a row is made of.

    Args:
        seeds: one projection of each, whose scores are averaged.
        sample: passages that R is fitted on; 0: four for each number of a block, as an index has it.
        divided: by the root of V, as an index's are.
    """

    groups: int
    p: int
    seeds: tuple[int, ...] = (0,)
    each_weight: bool = False
    sample: int = 0
    divided: bool = True

    @property
    def name(self) -> str:
        drawn = "" if self.seeds == (0,) else f", draw {' and '.join(map(str, self.seeds))}"
        fitted = f", R of {self.sample:,}" if self.sample else ""
        plain = "" if self.divided else ", no V"
        return f"{'each weight' if self.each_weight else self.groups} × {self.p}²{drawn}{fitted}{plain}"


BASE = Row(2, 32)
ROWS = (
    BASE,
    Row(2, 32, sample=512),
    Row(2, 32, sample=1_024),
    Row(2, 32, sample=16_384),
    Row(2, 32, (1,)),
    Row(2, 32, (2,)),
    Row(2, 32, divided=False),
    Row(1, 45),
    Row(4, 22),
    Row(0, 12, each_weight=True),
    Row(2, 16),
    Row(2, 64),
    Row(2, 22),
    Row(2, 22, (0, 1)),
)


KEPT: dict[tuple[int, int, int, bool, bool], tuple[torch.Tensor, torch.Tensor]] = {}
"""Gradients of the last projection, of all passages and queries: rows that differ in R alone share them."""


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
    lists = {}
    for at, row in enumerate(wanted, 1):
        lists[row.name] = ranked(loaded.model, loaded.encoder.moments, method, row, passages, queries)
        print(f"{at} of {len(wanted)} ranked", end="\r", flush=True)
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in lists}
    for at, (query, stating) in enumerate(facts):
        stepped = sorted({row for rows in lists.values() for row in rows[at][:FIRST]})
        steps = [] if asked.no_steps else [lessons[row] for row in stepped]
        points = loaded.patch().measure(query, steps) if steps else [0.0] * len(stepped)
        changes = dict(zip(stepped, points, strict=True))
        for name, rows in lists.items():
            figures[name].append(measured(rows[at], stating, changes))
        print(f"{at + 1} of {len(facts)} facts stepped", end="\r", flush=True)
    finish("blocks", reported(figures, MEASURES[:2] if asked.no_steps else MEASURES))


def ranked(
    model: LoadedModel,
    moments: Moments | None,
    method: EncodingConfig,
    row: Row,
    passages: list[TrainingExample],
    queries: list[TrainingExample],
) -> list[list[int]]:
    """The rows of the first hundred passages for each query, best first."""
    scores = np.zeros((len(queries), len(passages)), dtype=np.float32)
    for seed in row.seeds:
        own = replace(method, groups=max(1, row.groups), projection_dim=row.p, seed=seed)
        divisor = moments if row.divided else None
        projected = project_weights(model.weights, own, divisor, device=model.device, dtype=model.dtype)
        if row.each_weight:
            projected = [replace(one, block=at) for at, one in enumerate(projected)]
        blocks = len(projected) if row.each_weight else own.blocks
        if (key := (row.groups, row.p, seed, row.each_weight, row.divided)) not in KEPT:
            KEPT.clear()
            capture = Capture(model, own.loss)
            sink = ProjectedGradients(projected, capture.first_readers, blocks)
            KEPT[key] = gradients(capture, sink, passages), gradients(capture, sink, queries)
        encoded, asked = KEPT[key]
        train = Autocorrelation(blocks, own.block_size)
        size = min(len(passages), sample_size(own, row.sample or None))
        drawn = random.Random(0).sample(range(len(passages)), size)
        train.add(encoded[drawn])
        whitening = fit_whitening(train, None, mixing=None, rank=own.rank, damping=own.damping)
        scores += finished(asked, own, whitening) @ finished(encoded, own, whitening).T
    return [[int(at) for at in np.argsort(-own, kind="stable")[:CANDIDATES]] for own in scores]


def gradients(capture: Capture, sink: ProjectedGradients, examples: list[TrainingExample]) -> torch.Tensor:
    """Projected gradients of examples, (n, numbers) float32."""
    out = torch.zeros(len(examples), sink.count * sink.p**2)
    for batch in length_batches([one.size for one in examples], BATCH_TOKENS):
        capture.run([examples[row] for row in batch], sink)
        out[batch] = sink.blocks.flatten(1)
    return out


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
