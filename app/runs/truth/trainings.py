"""The trainings of a leave-out experiment: each is a line of `trainings.jsonl` when it is done, and never done again."""

import json
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.demo.pretrain import PretrainConfig, pretrain
from app.digests import ids_sha256
from app.errors import UserError
from app.files import append_line, write_json
from app.models.load import load_model
from app.models.text import Query
from app.showing import Bar, unseen
from app.tracing.probabilities import log_probabilities

SHAPE = PretrainConfig(
    vocab_size=2048,
    hidden_size=96,
    layers=2,
    heads=4,
    kv_heads=4,
    intermediate_size=264,
    epochs=3,
    bfloat16=False,
)
"""The small model's shape: 0.4 million parameters. In float32, for processors without bfloat16 emulate it, twice as slow."""
MODEL, PLAN, TRAININGS = "model", "plan.json", "trainings.jsonl"
EVERYTHING = "everything"
Trained = dict[str, Any]
"""A training as `trainings.jsonl` has it."""


@dataclass(frozen=True)
class AskedPrompt:
    """A prompt whose target's margin every training measures."""

    id: str
    text: str
    target: str
    relation: str

    @property
    def query(self) -> Query:
        """As the model reads it."""
        return Query.of_target(self.text, self.target)


@dataclass(frozen=True)
class Experiment:
    """What all trainings have in common.

    Args:
        corpus: its SHA-256. only: which of its passages, as `field=value`; empty for all.
        ids, texts: of the passages, in the corpus's order.
        work: directory in which everything is kept.
        projection_dim: p, of the methods that project.
    """

    corpus: str
    only: str
    ids: Sequence[str]
    texts: Sequence[str]
    prompts: Sequence[AskedPrompt]
    config: PretrainConfig
    work: Path
    projection_dim: int = 32

    @property
    def about(self) -> dict[str, Any]:
        """What a training depends on; a work directory holds those of one such."""
        return {
            "corpus_sha256": self.corpus,
            "only": self.only,
            "passages": len(self.ids),
            "config": asdict(self.config),
            "prompts": [asdict(each) for each in self.prompts],
            "threads": torch.get_num_threads(),
        }


def begin(experiment: Experiment) -> None:
    """Make the work directory, or see that it is of this experiment.

    Raises:
        UserError: it holds another experiment's trainings.
    """
    file = experiment.work / PLAN
    if not file.is_file():
        experiment.work.mkdir(parents=True, exist_ok=True)
        write_json(file, experiment.about)
    elif json.loads(file.read_text(encoding="utf-8")) != experiment.about:
        raise UserError(
            "The trainings there are of another corpus, shape, number of threads or other prompts.",
            file=file,
            remedy="Name another --work.",
        )


def finished(work: Path) -> dict[str, Trained]:
    """The trainings that are done, by name; a line that was cut by a kill does not count."""
    file = work / TRAININGS
    if not file.is_file():
        return {}
    lines = [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    rows = [json.loads(line) for line in lines]
    return {row["name"]: row for row in rows}


def train(
    experiment: Experiment, name: str, kept: np.ndarray, done: dict[str, Trained], bar: Bar = unseen
) -> Trained:
    """One training, unless it is done already: its row.

    Args:
        kept: (passages,) bool, what the model sees.
        done: what `finished` gave; it takes in the row.

    Raises:
        UserError: a training of this name went without other passages.
    """
    digest = digest_of(experiment.ids, kept)
    if (known := done.get(name)) is not None:
        if known["kept_sha256"] != digest:
            raise UserError(
                f"The training “{name}” is of other passages.",
                file=experiment.work / TRAININGS,
                remedy="Name another --work.",
            )
        return known
    started = time.monotonic(), time.process_time()
    out = experiment.work / (MODEL if name == EVERYTHING else "training")
    shutil.rmtree(out, ignore_errors=True)
    with bar(f"Training, {name}") as step:
        report = pretrain(
            experiment.texts,
            out,
            experiment.config,
            left_out=np.flatnonzero(~kept).tolist(),
            progress=lambda at, total, tokens, loss, rate: step(at, total),
        )
    row = {
        "name": name,
        "passages": int(kept.sum()),
        "kept_sha256": digest,
        "margins": margins(out, experiment.prompts),
        "final_loss": report.final_loss,
        "parameters": report.parameters,
        "tokens": report.tokens,
        "seconds": round(time.monotonic() - started[0], 1),
        "processor_seconds": round(time.process_time() - started[1], 1),
    }
    if name != EVERYTHING:
        shutil.rmtree(out)
    append_line(experiment.work / TRAININGS, row)
    done[name] = row
    return row


def margins(model: Path, prompts: Sequence[AskedPrompt]) -> list[float]:
    """log p / (1 - p) of each target, to four places."""
    logs = log_probabilities(load_model(model, device="cpu"), [each.query for each in prompts])
    return [round(log - float(np.log(-np.expm1(min(log, -1e-12)))), 4) for log, _ in logs]


def digest_of(ids: Sequence[str], kept: Collection[bool] | np.ndarray) -> str:
    """SHA-256 over the ids of the passages that stay in, a line each, in the corpus's order."""
    return ids_sha256(id_ for id_, stays in zip(ids, kept, strict=True) if stays)
