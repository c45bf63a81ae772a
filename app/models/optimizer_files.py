"""Writes an optimizer's state beside the weights, by parameter name: what `app.models.optimizer_state` reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from app.models.optimizer_state import RENAMED, SUFFIXES, WRAPPED

FILE = "optimizer.safetensors"
# Setting of a group -> how the file's metadata calls it.
NUMBERS = {"weight_decay": "weight_decay", "beta2_decay": "beta2_decay", "d": "d"}


def save_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, rate: float, out: Path, steps: int
) -> None:
    """Writes `optimizer.safetensors` into the directory `out`, moments in float32.

    Args:
        model: as it is trained; inside of peft's, names lose what peft puts before them.
        rate: the learning rate to take a further step with. steps: taken so far.
    """
    names = {id(value): name.removeprefix(WRAPPED) for name, value in model.named_parameters()}
    tensors = {
        f"{names[id(parameter)]}.{RENAMED.get(key, key)}": value.detach().float().cpu().contiguous()
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
        if RENAMED.get(key, key) in SUFFIXES and isinstance(value, torch.Tensor)
    }
    save_file(tensors, out / FILE, metadata=_metadata(optimizer, tensors, rate, steps))


def _metadata(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], rate: float, steps: int
) -> dict[str, str]:
    group: dict[str, Any] = optimizer.param_groups[0]
    adafactor = any(name.endswith(".row_var") for name in tensors)
    said = {
        "optimizer": "adafactor" if adafactor else "adamw",
        "step": str(steps),
        "learning_rate": repr(float(rate)),
        **{said: repr(group[name]) for name, said in NUMBERS.items() if group.get(name) is not None},
    }
    eps = group.get("eps")
    if isinstance(eps, tuple | list):
        said |= {"eps1": repr(eps[0]), "eps2": repr(eps[1])}
    elif eps is not None:
        said["eps"] = repr(eps)
    if "betas" in group:
        said |= {"beta1": repr(float(group["betas"][0])), "beta2": repr(float(group["betas"][1]))}
    return said
