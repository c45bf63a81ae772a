"""The trainings of a leave-out experiment: each is a line of `trainings.jsonl` when it is done, and never done again."""

import json
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from app.demo.pretrain import PretrainConfig, pretrain
from app.digests import ids_sha256
from app.errors import UserError
from app.files import append_line, whole, write_json
from app.models.hands import Done, Hands
from app.models.load import load_model
from app.models.text import Query
from app.showing import Bar, counting, unseen
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


@dataclass(frozen=True)
class ToTrain:
    """A training that is not done.

    Args:
        kept: (passages,) bool, what the model sees. digest: of these, see `digest_of`.
    """

    name: str
    kept: np.ndarray
    digest: str


@dataclass(frozen=True)
class Trainings:
    """Trainings as work, one a piece, for hands that hold nothing; see `app.models.hands.Work`."""

    texts: Sequence[str]
    prompts: Sequence[AskedPrompt]
    config: PretrainConfig

    def begin(
        self, held: None, /
    ) -> Callable[[Sequence[ToTrain], Done], tuple[Trained, Mapping[str, bytes]]]:
        """What is trained elsewhere comes back as its row, the model of everything with its files; no other is kept."""

        def one(piece: Sequence[ToTrain], done: Done) -> tuple[Trained, Mapping[str, bytes]]:
            (wanted,) = piece
            with TemporaryDirectory() as place:
                out = Path(place) / MODEL
                row = self.train(wanted, out)
                kept = out.iterdir() if wanted.name == EVERYTHING else ()
                return row, {file.name: file.read_bytes() for file in kept}

        return one

    def train(
        self, wanted: ToTrain, out: Path, step: Callable[[int, int], None] = lambda at, total: None
    ) -> Trained:
        """The model at `out`, and its row."""
        started = time.monotonic(), time.process_time()
        report = pretrain(
            self.texts,
            out,
            self.config,
            left_out=np.flatnonzero(~wanted.kept).tolist(),
            progress=lambda at, total, tokens, loss, rate: step(at, total),
        )
        return {
            "name": wanted.name,
            "passages": int(wanted.kept.sum()),
            "kept_sha256": wanted.digest,
            "margins": margins(out, self.prompts),
            "final_loss": report.final_loss,
            "parameters": report.parameters,
            "tokens": report.tokens,
            "seconds": round(time.monotonic() - started[0], 1),
            "processor_seconds": round(time.process_time() - started[1], 1),
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
    experiment: Experiment,
    wanted: Iterable[tuple[str, np.ndarray]],
    done: dict[str, Trained],
    bar: Bar = unseen,
    hands: Hands[None] | None = None,
) -> None:
    """The trainings that are not done yet, each kept when it is.

    Args:
        wanted: name, and (passages,) bool, what the model sees.
        done: what `finished` gave; it takes in the rows.
        hands: who trains; None: this process, where nothing is pickled and each training has a bar of its own.

    Raises:
        UserError: a training of one of these names went without other passages.
    """
    missing = missed(experiment, wanted, done)
    work = Trainings(experiment.texts, experiment.prompts, experiment.config)
    if hands is None:
        for each in missing:
            out = experiment.work / (MODEL if each.name == EVERYTHING else "training")
            shutil.rmtree(out, ignore_errors=True)
            with bar(f"Training, {each.name}") as step:
                row = work.train(each, out, step)
            if each.name != EVERYTHING:
                shutil.rmtree(out)
            _keep(experiment, row, done)
    elif missing:
        with bar("Trainings") as step:
            told = counting(step, len(missing))
            for row, files in hands.each(work, ([each] for each in missing), told):
                if files:
                    _put(files, experiment.work / MODEL)
                _keep(experiment, row, done)


def missed(
    experiment: Experiment, wanted: Iterable[tuple[str, np.ndarray]], done: Mapping[str, Trained]
) -> list[ToTrain]:
    """Those that are not done.

    Raises:
        UserError: one that is done went without other passages.
    """
    all_ = [ToTrain(name, kept, digest_of(experiment.ids, kept)) for name, kept in wanted]
    for each in all_:
        if each.name in done and done[each.name]["kept_sha256"] != each.digest:
            raise UserError(
                f"The training “{each.name}” is of other passages.",
                file=experiment.work / TRAININGS,
                remedy="Name another --work.",
            )
    return [each for each in all_ if each.name not in done]


def _keep(experiment: Experiment, row: Trained, done: dict[str, Trained]) -> None:
    append_line(experiment.work / TRAININGS, row)
    done[row["name"]] = row


def _put(files: Mapping[str, bytes], out: Path) -> None:
    """A model that was trained elsewhere, whole or not at all."""
    shutil.rmtree(out, ignore_errors=True)
    with whole(out) as partial:
        partial.mkdir()
        for name, content in files.items():
            (partial / name).write_bytes(content)


def margins(model: Path, prompts: Sequence[AskedPrompt]) -> list[float]:
    """log p / (1 - p) of each target, to four places."""
    logs = log_probabilities(load_model(model, device="cpu"), [each.query for each in prompts])
    return [round(log - float(np.log(-np.expm1(min(log, -1e-12)))), 4) for log, _ in logs]


def digest_of(ids: Sequence[str], kept: Collection[bool] | np.ndarray) -> str:
    """SHA-256 over the ids of the passages that stay in, a line each, in the corpus's order."""
    return ids_sha256(id_ for id_, stays in zip(ids, kept, strict=True) if stays)
