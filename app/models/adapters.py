"""Adapters (LoRA) on a model's weights: as matrices of their own, or merged into the weights they stand on.

Whichever way, the model says what it says. What differs is whose gradients are taken: those of A and B, which is what
training changed, or of the whole weights that they add up to.
"""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from safetensors import SafetensorError
from torch import nn

from app.errors import UserError
from app.models.adapter_ways import ADAPTERS, MERGED

PART = ".lora_"
"""Stands in the name of every parameter that is an adapter's."""


def with_adapter(model: Any, path: Path, way: str) -> Any:
    """The model with the adapter that lies in the directory `path`.

    Args:
        way: a name of `ADAPTERS`.

    Raises:
        UserError: the adapter cannot be read, is none of LoRA, or peft is not installed.
    """
    if way not in ADAPTERS:
        raise UserError(
            f"{way!r} is no way to take an adapter.",
            field="adapter",
            remedy=f"Use {' or '.join(ADAPTERS)}.",
        )
    try:
        from peft import LoraModel, PeftModel
    except ImportError:
        raise UserError(
            f"{path} is an adapter, and peft, which reads adapters, is not installed.",
            remedy="Install it: pip install 'startrail[adapters]'.",
        ) from None
    try:
        made = PeftModel.from_pretrained(model, str(path), is_trainable=False, local_files_only=True)
    except UnpicklingError:
        raise UserError(
            f"The adapter in {path} is no plain tensors: its file asks for code to be run, which is never done.",
            remedy="Give it as safetensors.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The adapter in {path} cannot be read: {line}",
            remedy="Check that its files are complete and that its base is the model it was trained on.",
        ) from None
    if not isinstance(made.base_model, LoraModel):
        kind = type(made.base_model).__name__.removesuffix("Model")
        raise UserError(f"The adapter in {path} is of the kind {kind}.", remedy="LoRA adapters are read.")
    if way == MERGED:
        return made.merge_and_unload()
    inner = made.base_model.model
    of_base = next(value.dtype for name, value in inner.named_parameters() if PART not in name)
    for name, value in inner.named_parameters():  # peft keeps them in float32 where the model is not
        if PART in name:
            value.data = value.data.to(of_base)
    return inner


def own_parameters(model: nn.Module) -> set[str]:
    """Names of the parameters that training changes: an adapter's where there is one, else all."""
    names = [name for name, _ in model.named_parameters()]
    return {name for name in names if PART in name} or set(names)
