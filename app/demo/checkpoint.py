"""Writes a model directory: a Hugging Face checkpoint and, beside it, the optimizer's second moments.

`optimizer.safetensors` holds the state of `torch.optim.Adafactor` in float32 (nine tenths of the second
moments lie below float16's smallest number) and, in its metadata, everything needed to build it again.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.optim import Adafactor
from transformers import LlamaForCausalLM

OPTIMIZER_FILE = "optimizer.safetensors"


def save_checkpoint(
    model: LlamaForCausalLM, optimizer: Adafactor, learning_rate: float, out: Path, *, half: bool
) -> None:
    """Writes `config.json`, `model.safetensors` and `optimizer.safetensors` into the directory `out`.

    Args:
        learning_rate: the one to take a further step with (tail-patch does).
        half: store the weights in float16; the optimizer's state stays in float32.
    """
    dtype = torch.float16 if half else torch.float32
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    # Tied weights are one parameter under one name; safetensors refuses the same storage twice.
    weights = {
        name: parameter.detach().to(dtype).contiguous() for name, parameter in model.named_parameters()
    }
    config = model.config.to_dict() | {
        "dtype": str(dtype).removeprefix("torch."),
        "architectures": [type(model).__name__],
    }
    type(model.config).from_dict(config).save_pretrained(out)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    save_file(
        {
            f"{names[id(parameter)]}.{moment}": value.float().contiguous()
            for parameter, state in optimizer.state.items()
            for moment in ("row_var", "col_var", "variance")
            if isinstance(value := state.get(moment), torch.Tensor)
        },
        out / OPTIMIZER_FILE,
        metadata=_metadata(optimizer, learning_rate),
    )


def _metadata(optimizer: Adafactor, learning_rate: float) -> dict[str, str]:
    group = optimizer.param_groups[0]
    eps1, eps2 = group["eps"]
    step = max((int(state["step"]) for state in optimizer.state.values()), default=0)
    return {
        "optimizer": "adafactor",
        "step": str(step),
        "learning_rate": repr(learning_rate),
        "beta2_decay": repr(group["beta2_decay"]),
        "eps1": repr(eps1),
        "eps2": repr(eps2),
        "d": repr(group["d"]),
        "weight_decay": repr(group["weight_decay"]),
    }
