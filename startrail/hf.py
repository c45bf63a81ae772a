"""For Hugging Face's Trainer, and TRL's on top of it: a callback that saves what Startrail asks for.

    from startrail.hf import KeepForStartrail

    trainer = Trainer(model, args, train_dataset=data, callbacks=[KeepForStartrail()])
    trainer = SFTTrainer(model, args=SFTConfig(…, packing=False), train_dataset=data, callbacks=[KeepForStartrail()])
    trainer = DPOTrainer(model, args=DPOConfig(…), train_dataset=data, callbacks=[KeepForStartrail()])
    trainer.train()

Each checkpoint directory then has, beside what Trainer writes:

    optimizer.safetensors   the optimizer's moments by parameter name, and the last step's learning rate
    order.jsonl             for each step so far, the rows of the training set that it saw, and the learning rate

so that `startrail index OUTPUT/checkpoint-500 CORPUS` divides by the training's own second moments, and a step is the next step
of that training. Rows are those of the data set as Trainer has it: add the very same records, in the same order, as the corpus
(`startrail corpus add`). With packing a row of Trainer's is no record any more; leave it off.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from app.models.optimizer_files import save_optimizer

__all__ = ["KeepForStartrail"]
ORDER = "order.jsonl"


class KeepForStartrail(TrainerCallback):  # type: ignore[misc]  # transformers loads it lazily, so it has no type
    """Saves moments and the order of examples in every checkpoint; the last step gets a checkpoint too.

    Where several processes train, the first one writes. Moments that are sharded over processes (FSDP, DeepSpeed) are not
    written: Trainer's own files have them, and Startrail estimates what it cannot read.
    """

    def __init__(self) -> None:
        self.drawn: _Drawn | None = None
        self.steps: list[dict[str, Any]] = []
        self.rate = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Listens to what the sampler draws; goes on with the order that a resumed checkpoint has."""
        batches: Any = getattr(kwargs["train_dataloader"], "batch_sampler", None)
        while hasattr(batches, "batch_sampler"):  # accelerate's, around torch's own
            batches = batches.batch_sampler
        sampler = getattr(batches, "sampler", None)
        if batches is not None and sampler is not None:
            self.drawn = sampler if isinstance(sampler, _Drawn) else _Drawn(sampler)
            batches.sampler = self.drawn
        before = Path(args.output_dir) / f"checkpoint-{state.global_step}" / ORDER
        if state.global_step and before.is_file():
            self.steps = [json.loads(line) for line in before.read_text(encoding="utf-8").splitlines()]

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Notes the step's learning rate: a schedule's last is often zero, from which no further step is taken."""
        self.rate = float(kwargs["optimizer"].param_groups[0]["lr"]) or self.rate

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Notes the step's rows."""
        size = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        steps_an_epoch = -(-len(self.drawn) // size) if self.drawn else 0
        if self.drawn and steps_an_epoch:
            at = (state.global_step - 1) % steps_an_epoch * size
            rows = self.drawn.rows[at : at + size]
            self.steps.append({"step": state.global_step, "rows": rows, "learning_rate": self.rate})
        if state.global_step >= state.max_steps:
            control.should_save = True
        return control

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Writes both files into the checkpoint that Trainer has just written."""
        out = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero or not out.is_dir():
            return
        optimizer = getattr(kwargs["optimizer"], "optimizer", kwargs["optimizer"])
        named = {id(value) for value in kwargs["model"].parameters()}
        if optimizer.state and all(id(value) in named for value in optimizer.state):
            save_optimizer(kwargs["model"], optimizer, self.rate, out, state.global_step)
        lines = "".join(json.dumps(step) + "\n" for step in self.steps)
        (out / ORDER).write_text(lines, encoding="utf-8")


class _Drawn:
    """A sampler that remembers what it drew in this epoch."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.rows: list[int] = []

    def __iter__(self) -> Iterator[int]:
        self.rows = []
        for row in self.sampler:
            self.rows.append(int(row))
            yield row

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)
