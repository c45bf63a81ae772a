"""The callback for Hugging Face's Trainer: what it keeps is what the training saw, and a checkpoint can be traced."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from app.models.load import load_model
from app.models.optimizer_state import read_optimizer
from app.models.steps import TailPatch
from startrail.hf import KeepForStartrail
from tests.support import tiny


class Seen(Trainer):  # type: ignore[misc]  # loaded lazily, so it has no type
    """A Trainer that notes which texts each step was given."""

    batches: list[list[int]]

    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        self.batches.append(inputs.pop("row").tolist())
        return super().compute_loss(model, inputs, *rest, **more)


def trained(base: Path, out: Path, resume: str | None = None) -> Seen:
    def collate(rows: list[int]) -> dict[str, torch.Tensor]:
        ids = [tiny.tokenizer().encode(tiny.TEXTS[row])[:12] for row in rows]
        longest = max(map(len, ids))
        padded = torch.tensor([[*own, *(2,) * (longest - len(own))] for own in ids])
        return {
            "input_ids": padded,
            "labels": padded.masked_fill(padded == 2, -100),
            "row": torch.tensor(rows),
        }

    arguments = TrainingArguments(
        str(out),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        num_train_epochs=2,
        save_steps=3,
        learning_rate=1e-3,
        weight_decay=0.1,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=True,
    )
    made = Seen(
        AutoModelForCausalLM.from_pretrained(base),
        arguments,
        collate,
        list(range(7)),
        processing_class=tiny.tokenizer(),
        callbacks=[KeepForStartrail()],
    )
    made.batches = []
    made.train(resume_from_checkpoint=resume)
    return made


def kept(checkpoint: Path) -> list[list[int]]:
    return [json.loads(line)["rows"] for line in (checkpoint / "order.jsonl").read_text().splitlines()]


def test_each_checkpoint_has_the_order_that_the_training_saw_and_moments_by_name(
    checkpoints: Callable[..., Path], tmp_path: Path
) -> None:
    """7 rows in batches of 2, two a step: steps of 4 and 3. Trainer's schedule ends at a rate of zero."""
    base = checkpoints("llama", None)
    made = trained(base, tmp_path / "out")
    last = tmp_path / "out" / "checkpoint-4"
    seen = made.batches
    assert kept(last) == [seen[0] + seen[1], seen[2] + seen[3], seen[4] + seen[5], seen[6] + seen[7]]
    assert sorted(seen[0] + seen[1] + seen[2] + seen[3]) == list(range(7))
    loaded = load_model(last)
    state = read_optimizer(last, loaded.model)
    names = {id(value): name for name, value in made.model.named_parameters()}
    for parameter, own in made.optimizer.state.items():
        assert torch.equal(state.entries[names[id(parameter)]]["exp_avg_sq"], own["exp_avg_sq"])
    assert (state.step, state.file.name) == (4, "optimizer.safetensors")
    assert TailPatch(loaded).rate > 0

    resumed = trained(base, tmp_path / "out", str(tmp_path / "out" / "checkpoint-3"))
    assert kept(last)[3] == resumed.batches[0] + resumed.batches[1]
    assert len(kept(last)) == 4
