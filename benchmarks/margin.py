"""Why has the margin the best MRR on the demo? Small models read its sentences about facts once, twice and five times.

    python benchmarks/margin.py [--work margin] [--epochs 1,2,5] [--smoothing 0.1,0] [--facts 200]
    python benchmarks/margin.py --epochs "" --shipped [--family ""] [--most 4000]

A token's gradient of the cross-entropy is (1 - p) times that of its margin log(p / (1 - p)): what a model knows already
weighs little in a passage. If that is why, the two must rank alike in a model that has read little (p is small) and
part as it reads more, and without label smoothing more than with it, for smoothing keeps p below one. Each model is
trained from nothing (and kept in --work, so that the command can be stopped). Passages are ranked by TrackStar without the
task's Hessian, by either loss, and by the margin of one side and the cross-entropy of the other, which tells where it
matters. And p is read, of the facts' targets and of the passages' tokens. `--shipped` adds the demo's own model, which read
the whole corpus five times with smoothing 0.1. `--family ""` takes passages of every kind, `--most` so many of them, drawn at
random, those that state the facts asked for always among them; models are trained on what is taken.
"""

import argparse
import gzip
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import Check, finish

from app.demo.pretrain import PretrainConfig, pretrain
from app.demo.shipped import corpus_path, model_path, prompts_path
from app.errors import UserError
from app.evaluation.metrics import Estimate, estimate, paired_difference, reciprocal_rank
from app.models.batching import length_batches, pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel, load_model
from app.models.loss_head import token_losses
from app.models.losses import Loss
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import BATCH_TOKENS, Encoder, finished
from app.trackstar.hessian import Autocorrelation, Whitening, fit_whitening
from app.trackstar.moments import load_moments

SHAPE = PretrainConfig(
    vocab_size=2048, hidden_size=128, layers=2, intermediate_size=352, epochs=1, bfloat16=False
)
"""0.7 million parameters; in float32, for processors without bfloat16 emulate it."""
METHOD = EncodingConfig.preset("+V+R_train", projection_dim=24, damping=1e-3)
"""With R damped as it was when the margin was found to have the best MRR, so that this very finding is looked into."""
LOSSES: tuple[Loss, ...] = ("cross_entropy", "margin")
PLAIN = "cross-entropy"
RANKED: dict[str, tuple[Loss, Loss]] = {  # loss of the passages, loss of the queries
    PLAIN: ("cross_entropy", "cross_entropy"),
    "margin": ("margin", "margin"),
    "margin of passages only": ("margin", "cross_entropy"),
    "margin of queries only": ("cross_entropy", "margin"),
}


@dataclass(frozen=True)
class Facts:
    """Passages, by a name, and what is asked: each fact with the rows of the passages that state it."""

    name: str
    texts: list[str]
    queries: list[Query]
    stating: list[set[int]]


def main() -> None:
    asked = arguments()
    facts = read_facts(asked.facts, asked.family, asked.most)
    print(f"{len(facts.texts):,} passages; {len(facts.queries)} facts are asked for\n")
    rows, checks = [], []
    models = [trained(facts, asked.work, epochs, part) for part in asked.smoothing for epochs in asked.epochs]
    if asked.shipped:
        models.append(("the shipped model", model_path()))
    for name, path in models:
        found = measured(load_model(path), facts)
        rows.append((name, found))
        checks += [
            Check(f"{name}: {what}", value.mean, "") for what, value in found.items() if " less " not in what
        ]
        print(f"{name}: {told(found)}", flush=True)
    show(rows)
    finish("margin", checks)


def read_facts(count: int, family: str = "facts", most: int | None = None) -> Facts:
    """The demo's passages of a family (empty: all) and so many of its prompts about facts, drawn at random."""
    prompts = [row for row in _lines(prompts_path()) if row.get("task", "fact") == "fact"]
    drawn = random.Random(0).sample(prompts, min(count, len(prompts)))
    passages = [row for row in _lines(corpus_path()) if not family or row["family"] == family]
    if most is not None and most < len(passages):
        stating = {id_ for row in drawn for id_ in row["entailing_passage_ids"]}
        first = [row for row in passages if row["id"] in stating]
        rest = [row for row in passages if row["id"] not in stating]
        passages = first + random.Random(1).sample(rest, max(0, most - len(first)))
    place = {row["id"]: at for at, row in enumerate(passages)}
    return Facts(
        f"{family or 'all'}-{len(passages)}",
        [row["text"] for row in passages],
        [Query.of_target(row["prompt"], row["target"]) for row in drawn],
        [{place[id_] for id_ in row["entailing_passage_ids"] if id_ in place} for row in drawn],
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def trained(facts: Facts, work: Path, epochs: int, smoothing: float) -> tuple[str, Path]:
    """A model of this training, made where it is missing."""
    out = work / f"{facts.name}-epochs-{epochs}-smoothing-{smoothing:g}"
    if not out.exists():
        report = pretrain(facts.texts, out, replace(SHAPE, epochs=epochs, label_smoothing=smoothing))
        print(f"trained {out.name}: {report.parameters:,} parameters, {report.seconds:.0f} s", flush=True)
    return f"{epochs} reading{'s' if epochs > 1 else ''}, smoothing {smoothing:g}", out


def measured(loaded: LoadedModel, facts: Facts) -> dict[str, Estimate]:
    """MRR by either loss of either side, how much higher the margin's is, and how sure the model is."""
    passages = loaded.texts.passages(list(facts.texts))
    queries = [loaded.texts.query(query) for query in facts.queries]
    asked = {loss: encoder_of(loaded, loss).gradients(queries) for loss in LOSSES}
    values = {}
    for of_passages in LOSSES:
        rows, whitening = encoded(loaded, of_passages, passages)
        for of_queries in LOSSES:
            scores = finished(asked[of_queries], METHOD, whitening) @ rows.T
            values[of_passages, of_queries] = [
                reciprocal_rank(list(np.isin(np.argsort(-own, kind="stable"), list(stating))))
                for own, stating in zip(scores, facts.stating, strict=True)
            ]
    plain = values["cross_entropy", "cross_entropy"]
    found = {name: estimate(values[losses]) for name, losses in RANKED.items()}
    found |= {
        f"{name} less {PLAIN}": paired_difference(values[losses], plain)
        for name, losses in RANKED.items()
        if name != PLAIN
    }
    tokens = probabilities(loaded, passages)
    targets = np.array([own.prod() for own in probabilities(loaded, queries)])
    gaps = np.array(values[RANKED["margin"]]) - np.array(plain)
    found["gain where p of the target < 0.5"] = estimate(list(gaps[targets < 0.5]))
    found["gain where it is more"] = estimate(list(gaps[targets >= 0.5]))
    found["p of the target"] = estimate(list(targets))
    found["p of a passage's token"] = estimate([float(own.mean()) for own in tokens])
    found["tokens of a passage with p > 0.8"] = estimate([float((own > 0.8).mean()) for own in tokens])
    return {name: each for name, each in found.items() if each}


def encoder_of(loaded: LoadedModel, loss: Loss) -> Encoder:
    """Of projected gradients by this loss, neither whitened nor divided by their length."""
    plain = replace(METHOD, hessian="none", unit_norm=False, loss=loss)
    return Encoder(loaded, load_moments(loaded, plain.second_moments), plain, None)


def encoded(
    loaded: LoadedModel, loss: Loss, passages: Sequence[TrainingExample]
) -> tuple[np.ndarray, Whitening]:
    """The encodings of all passages by this loss, and what whitens them: R of all of them."""
    gradients = encoder_of(loaded, loss).gradients(passages)
    total = Autocorrelation(METHOD.blocks, METHOD.block_size)
    total.add(gradients)
    whitening = fit_whitening(total, None, mixing=None, rank=METHOD.rank, damping=METHOD.damping)
    return finished(gradients, METHOD, whitening), whitening


@torch.no_grad()
def probabilities(loaded: LoadedModel, examples: Sequence[TrainingExample]) -> list[np.ndarray]:
    """p of each loss token, example by example."""
    found: list[np.ndarray] = [np.empty(0)] * len(examples)
    for batch in length_batches([one.size for one in examples], BATCH_TOKENS):
        own = [examples[row] for row in batch]
        rows, labels, _ = predicting(own, loaded.device)
        logits = loaded.model(input_ids=pad(own, loaded.device), use_cache=False).logits.flatten(0, 1)[rows]
        values = (-token_losses(logits, labels, "cross_entropy")).exp().numpy()
        ends = np.cumsum([len(one.targets) for one in own])
        for row, part in zip(batch, np.split(values, ends[:-1]), strict=True):
            found[row] = part
    return found


def show(rows: Sequence[tuple[str, dict[str, Estimate]]]) -> None:
    """A table of models against what was measured, and what it says."""
    columns = list(dict.fromkeys(what for _, found in rows for what in found))
    print("\n| model | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for name, found in rows:
        cells = []
        for what in columns:
            one, sign = found.get(what), "+" if " less " in what or "gain" in what else ""
            if one is None:
                cells.append("–")
                continue
            interval = f" [{one.low:.3f}, {one.high:.3f}]" if what in RANKED or sign else ""
            cells.append(f"{one.mean:{sign}.3f}{interval}".replace("-", "−"))
        print(f"| {name} | {' | '.join(cells)} |")


def told(found: dict[str, Estimate]) -> str:
    """What came of one model, in words."""
    gap, token = found[f"margin less {PLAIN}"], found["p of a passage's token"]
    verdict = "cannot be told from"
    if gap.low > 0 or gap.high < 0:
        verdict = "finds more than" if gap.mean > 0 else "finds less than"
    return (
        f"with p {token.mean:.2f} of a passage's token the margin ({found['margin'].mean:.3f}) {verdict} the"
        f" {PLAIN} ({found[PLAIN].mean:.3f}): {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("margin"), help="where trained models are kept")
    parser.add_argument("--epochs", type=_numbers(int), default=[1, 2, 5], help="readings of the corpus")
    parser.add_argument("--smoothing", type=_numbers(float), default=[0.1, 0.0], help="label smoothing")
    parser.add_argument("--facts", type=int, default=200, help="facts asked for")
    parser.add_argument("--family", default="facts", help="of the passages; empty: every one")
    parser.add_argument("--most", type=int, help="so many passages, drawn at random; default all")
    parser.add_argument("--shipped", action="store_true", help="also the model that comes with the demo")
    return parser.parse_args()


def _numbers(kind: type[int] | type[float]) -> Callable[[str], list[float]]:
    return lambda text: [kind(part) for part in text.split(",") if part]


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
