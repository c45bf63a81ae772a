"""Adapters of tiny models, and what any model says of the same few tokens."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from app.models.load import load_model
from tests.support import tiny

IDS = torch.arange(12)[None] + 40


def logits(path: Path, **how: Any) -> torch.Tensor:
    loaded: Any = load_model(path, **how)
    return loaded.model(input_ids=IDS).logits.float()


def adapter(base: Path, out: Path, *, targets: list[str] | None = None, train: bool = True) -> Any:
    """A trained LoRA adapter on `base`, saved in `out` with its optimizer's state as Trainer saves it."""
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_pretrained(base)
    wanted = LoraConfig(
        r=3,
        lora_alpha=6,
        target_modules=targets or ["q_proj", "v_proj", "up_proj"],
        fan_in_fan_out=model.config.model_type == "gpt2",  # its weights are Conv1D's, inputs first
    )
    made: Any = get_peft_model(model, wanted)
    used = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], lr=1e-2)
    tiny.train(made, used, tiny.TEXTS, 8 if train else 0)
    made.save_pretrained(out)
    torch.save(used.state_dict(), out / "optimizer.pt")
    return made.eval()
