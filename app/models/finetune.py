"""Fine-tunes a model on training examples with roles, and keeps all that tracing asks for afterwards.

    examples -> batches, drawn anew each epoch -> AdamW on LoRA's matrices or on all weights -> a model directory

The directory is a model like any other (an adapter with links to its base, or whole), with `optimizer.safetensors` (AdamW's
moments by parameter name), `order.jsonl` (which examples each step saw, its loss and learning rate), `training.json` (what was
done), and under `checkpoints/step-N` the states on the way, each a model with its moments. It appears under its name only when
complete; what was stopped goes on after its last saved step, to the same weights. Nothing is dropped out: from the same
state, a step on the same examples is the same step.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from app.errors import UserError
from app.files import drop_partials, put, whole, write_json
from app.models.examples import TrainingExample
from app.models.optimizer_files import save_optimizer
from app.models.trainee import Trainee

STATE, PLAN, ORDER, TRAINING, ON_THE_WAY = (
    "state.pt",
    "plan.json",
    "order.jsonl",
    "training.json",
    "checkpoints",
)
WARMUP = 0.03
"""Share of the steps in which the learning rate rises."""
FLOOR = 0.1
"""Where it ends, as a share of its peak: above zero, because a check of a cause takes one more step at that rate."""
CLIP = 1.0  # the largest norm of a batch's gradient, as Trainer has it
SAVED_EVERY = 30.0  # seconds between two states that can be gone on from
Progress = Callable[[int, int, float], None]
"""Called after each step with steps done and in all, and the loss of the batch."""


@dataclass(frozen=True)
class FinetuneConfig:
    """How a model is fine-tuned.

    Args:
        rank: of the LoRA matrices; 0: all weights are trained.
        layers: LoRA stands on the last so many blocks; 0: on all.
        batch_size: examples of a step.
        learning_rate: the peak; 0: 2e-4 with LoRA, 2e-5 without.
        beta: of DPO, where the examples are preference pairs.
        batch_tokens: read at once; a batch of more is read in parts.
        dtype: of the base's weights while LoRA's matrices, which stay in float32, are trained on them.
    """

    rank: int = 8
    layers: int = 0
    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 0.0
    weight_decay: float = 0.0
    beta: float = 0.1
    seed: int = 0
    batch_tokens: int = 4096
    dtype: str = "float32"

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        return self.learning_rate or (2e-4 if self.rank else 2e-5)


@dataclass(frozen=True)
class FinetuneReport:
    """What came of it; also in `training.json`. `untaught`: examples of which no token carries loss within the context."""

    out: Path
    parameters: int
    passages: int
    untaught: int
    steps: int
    tokens: int
    first_loss: float
    final_loss: float
    seconds: float


@dataclass
class _Done:
    """How far a training is: the loss and learning rate of every step, and the seconds that they took."""

    losses: list[float]
    rates: list[float]
    seconds: float


def finetune(
    trainee: Trainee,
    examples: Sequence[TrainingExample],
    out: Path,
    config: FinetuneConfig,
    *,
    about: dict[str, Any],
    checkpoints: int = 0,
    progress: Progress | None = None,
) -> FinetuneReport:
    """Trains and writes the model directory `out`; goes on where the same training was stopped.

    Args:
        examples: by row; those without loss tokens are left out of the batches.
        about: what `training.json` says beside the report, and what tells one training from another: model, corpus.
        checkpoints: states to keep on the way, evenly spaced.

    Raises:
        UserError: no example has anything to learn, they are pairs and others mixed, `out` exists, or training diverges.
    """
    taught = _checked(examples, out)
    order = batches(taught, config)
    plan = {**about, "config": asdict(config), "checkpoints": checkpoints, "steps": len(order)}
    work = out.with_name(f".{out.name}.finetuning")
    work.mkdir(parents=True, exist_ok=True)
    _start_or_resume(work, plan)
    references = trainee.margins(examples)  # before any step: what the model was
    optimizer = torch.optim.AdamW(trainee.trained.values(), lr=config.peak, weight_decay=config.weight_decay)
    done = _load(work, trainee, optimizer)
    keep_at = {round(len(order) * part / (checkpoints + 1)) for part in range(1, checkpoints + 1)}
    started = saved = time.monotonic() - done.seconds
    while len(done.losses) < len(order):
        rows = order[len(done.losses)]
        rate = rate_at(len(done.losses), len(order), config.peak)
        batch = [examples[row] for row in rows]
        loss = trainee.backward(batch, [references[row] for row in rows])
        _step(trainee, optimizer, rate)
        _check(loss, len(done.losses) + 1)
        done.losses.append(loss)
        done.rates.append(rate)
        done.seconds = time.monotonic() - started
        if len(done.losses) in keep_at:
            step = len(done.losses)
            (work / ON_THE_WAY).mkdir(exist_ok=True)
            with whole(work / ON_THE_WAY / f"step-{step}") as partial:
                _write(trainee, optimizer, order, done, partial, {**plan, "step": step})
        if time.monotonic() - saved > SAVED_EVERY:
            _save(work, trainee, optimizer, done)
            saved = time.monotonic()
        if progress:
            progress(len(done.losses), len(order), loss)
    report = FinetuneReport(
        out=out,
        parameters=sum(value.numel() for value in trainee.trained.values()),
        passages=len(examples),
        untaught=len(examples) - len(taught),
        steps=len(order),
        tokens=sum(_tokens(examples[row]) for rows in order for row in rows),
        first_loss=round(done.losses[0], 4),
        final_loss=round(done.losses[-1], 4),
        seconds=round(done.seconds, 1),
    )
    facts = {key: value for key, value in asdict(report).items() if key != "out"}
    _write(trainee, optimizer, order, done, work, {**plan, **facts})
    for name in (STATE, PLAN):
        (work / name).unlink(missing_ok=True)
    drop_partials(work)
    put(work, out)
    return report


def batches(rows: Sequence[int], config: FinetuneConfig) -> list[list[int]]:
    """The rows of every step, each epoch in an order of its own that the seed decides."""
    draw = torch.Generator().manual_seed(config.seed)
    made = []
    for _ in range(config.epochs):
        drawn = [rows[at] for at in torch.randperm(len(rows), generator=draw).tolist()]
        made += [drawn[at : at + config.batch_size] for at in range(0, len(drawn), config.batch_size)]
    return made


def rate_at(step: int, steps: int, peak: float) -> float:
    """Linear warm-up, then a straight line down to `FLOOR` of the peak."""
    warmup = max(1, round(steps * WARMUP))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 - (1 - FLOOR) * (step - warmup) / max(1, steps - warmup - 1))


def _checked(examples: Sequence[TrainingExample], out: Path) -> list[int]:
    """The rows of what can be learned from."""
    if out.exists():
        raise UserError(f"{out} exists already.", field="name", remedy="Choose another --name, or remove it.")
    taught = [row for row, example in enumerate(examples) if example.targets]
    if not taught:
        raise UserError("No passage of the corpus has anything to learn.", remedy="Check the corpus.")
    if len({examples[row].against is None for row in taught}) > 1:
        raise UserError(
            "The corpus has preference pairs and others.",
            field="corpus",
            remedy="Train on the others first, and on the pairs after that.",
        )
    return taught


def _tokens(example: TrainingExample) -> int:
    return sum(len(one.ids) for one in example.sequences)


def _step(trainee: Trainee, optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    torch.nn.utils.clip_grad_norm_(trainee.trained.values(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _check(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"Training diverged: the loss of step {step} is {loss}.",
            field="learning_rate",
            remedy="Lower the learning rate, and remove the directory of the stopped training.",
        )


def _start_or_resume(work: Path, plan: dict[str, Any]) -> None:
    """Keeps what the very same training left when it was stopped; clears anything else."""
    file = work / PLAN
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) == json.loads(json.dumps(plan)):
        return
    (work / STATE).unlink(missing_ok=True)
    write_json(file, plan)


def _save(work: Path, trainee: Trainee, optimizer: torch.optim.Optimizer, done: _Done) -> None:
    with whole(work / STATE) as partial:
        torch.save(
            {"weights": trainee.weights(), "optimizer": optimizer.state_dict(), "done": asdict(done)}, partial
        )


def _load(work: Path, trainee: Trainee, optimizer: torch.optim.Optimizer) -> _Done:
    if not (work / STATE).is_file():
        return _Done([], [], 0.0)
    saved = torch.load(work / STATE, weights_only=True)
    trainee.put(saved["weights"])
    optimizer.load_state_dict(saved["optimizer"])
    return _Done(**saved["done"])


def _write(
    trainee: Trainee,
    optimizer: torch.optim.Optimizer,
    order: Sequence[Sequence[int]],
    done: _Done,
    out: Path,
    facts: dict[str, Any],
) -> None:
    """The model as it is now, with its moments, the order of its examples so far, and what was done."""
    out.mkdir(parents=True, exist_ok=True)
    trainee.save(out)
    save_optimizer(trainee.loaded.model, optimizer, done.rates[-1], out, len(done.losses))
    lines = [
        json.dumps({"step": at, "rows": list(rows), "loss": round(loss, 6), "learning_rate": rate})
        for at, (rows, loss, rate) in enumerate(zip(order, done.losses, done.rates, strict=False), 1)
    ]
    (out / ORDER).write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(out / TRAINING, facts)
