"""Loads a Hugging Face causal LM checkpoint from disk, frozen, with its tokenizer and linear weights."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from app.errors import UserError
from app.models.context_length import longest_input
from app.models.marks import BOTH, TOKENIZER, Marks
from app.models.text import Texts
from app.models.weights import LinearWeight, find_weights

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tekken.json",
)
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
UNSAID = 2048  # tokens of context, where neither model nor tokenizer says how many
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
OPTIMIZER_FILES = ("optimizer.safetensors", "optimizer.pt")


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint in memory: evaluation mode, parameters frozen.

    Args:
        weights: linear weights of the blocks, the ones gradients are taken of.
        sha256: over configuration, weights and tokenizer files; the optimizer's state has its own hash.
        context: longest input in tokens.
        marks: what stands around texts.
    """

    model: nn.Module
    tokenizer: Any
    weights: list[LinearWeight] = field(repr=False)
    sha256: str
    context: int
    path: Path
    device: torch.device
    dtype: torch.dtype
    marks: Marks

    @property
    def texts(self) -> Texts:
        """Text to tokens for this model."""
        return Texts(self.tokenizer, self.context, self.marks)

    @property
    def layers(self) -> int:
        """Number of blocks that hold weights."""
        return 1 + max(weight.layer for weight in self.weights)


def load_model(
    path: Path,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    override: Mapping[str, str] | None = None,
    marks: str | Marks = "",
) -> LoadedModel:
    """Loads the checkpoint directory `path`.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, …; `auto` is CUDA where there is one.
        dtype: of weights and computation, whatever the files hold: float32, bfloat16 or float64.
        override: which weights are attention and which MLP; see `find_weights`.
        marks: what stands around texts, a name of `app.models.marks.CONVENTIONS`; empty: the model's own.

    Raises:
        UserError: no checkpoint, no tokenizer, an architecture that cannot be read, or no such device.
    """
    path = Path(path)
    check_files(path)
    place = _device(device)
    tokenizer = _tokenizer(path)
    logging.disable_progress_bar()
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise UserError(
            f"{path} cannot be loaded as a causal language model: {_first_line(error)}",
            remedy="Check that its files are complete and that this transformers version knows the architecture.",
        ) from None
    if absent := made_up(model, report):
        raise UserError(
            f"{path} has no {absent[0]}{f' and {len(absent) - 1} more' if absent[1:] else ''}, which its configuration"
            " asks for: it would be made up at random.",
            remedy="Check that the weight files are complete and that config.json is theirs.",
        )
    model.requires_grad_(False).eval().to(place)
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        weights=find_weights(model, override),
        sha256=model_sha256(path),
        context=longest_input(model.config.to_dict(), tokenizer.model_max_length) or UNSAID,
        path=path,
        device=place,
        dtype=dtype,
        marks=marks if isinstance(marks, Marks) else Marks.of(tokenizer, marks or _convention(path)),
    )


def compute_type(name: str) -> torch.dtype:
    """The type to compute in, by its name.

    Raises:
        UserError: it is none.
    """
    try:
        return TYPES[name]
    except KeyError:
        raise UserError(
            f"{name!r} is no compute type.", field="dtype", remedy="Use float32 or bfloat16."
        ) from None


def check_files(path: Path) -> None:
    """Whether a directory has the files of a checkpoint: configuration, tokenizer and weights.

    Raises:
        UserError: one of them is missing.
    """
    if not (path / "config.json").is_file():
        raise UserError(
            f"{path} is no model: it has no config.json.",
            remedy="Give a directory written by save_pretrained, with config.json, weights and tokenizer.",
        )
    if not any((path / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(
            f"{path} has no tokenizer.",
            remedy="Put the tokenizer's files (tokenizer.json) beside the weights: tokenizer.save_pretrained(DIR).",
        )
    _weight_files(path)


def model_sha256(path: Path) -> str:
    """SHA-256 over the names and bytes of the configuration, weight and tokenizer files.

    Raises:
        UserError: there are no weight files.
    """
    weights = _weight_files(path)
    others = [path / name for name in ("config.json", *TOKENIZER_FILES) if (path / name).is_file()]
    digest = hashlib.sha256()
    for file in sorted({*weights, *others}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _convention(path: Path) -> str:
    """Models that `startrail pretrain` made before their tokenizers said so were trained with both marks."""
    return BOTH if (path / "training.json").is_file() else TOKENIZER


def _weight_files(path: Path) -> set[Path]:
    weights = {file for pattern in WEIGHT_FILES for file in path.glob(pattern)}
    weights -= {path / name for name in OPTIMIZER_FILES}
    if not weights:
        raise UserError(
            f"{path} holds no weights.", remedy="It needs model.safetensors or pytorch_model.bin."
        )
    return weights


def _tokenizer(path: Path) -> Any:
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception as error:  # a broken tokenizer file raises whatever its parser raises
        raise UserError(
            f"The tokenizer in {path} cannot be read: {_first_line(error)}",
            remedy="Save the tokenizer again.",
        ) from None


def made_up(model: nn.Module, report: Mapping[str, Any]) -> list[str]:
    """The parameters that no file held, by name; `report` is transformers' `output_loading_info`."""
    return sorted(set(report["missing_keys"]) & {name for name, _ in model.named_parameters()})


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(
            f"{name!r} is no device.", field="device", remedy="Use cpu, cuda or cuda:N."
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError("This machine has no CUDA device.", field="device", remedy="Use --device cpu.")
    try:  # each backend refuses in its own way: CUDA with RuntimeError, a torch built without it, meta
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"{name!r} cannot be computed on: {_first_line(error)}",
            field="device",
            remedy="Use cpu, cuda or cuda:N.",
        ) from None
    return device


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if line.endswith(".") else f"{line}."


def count_parameters(path: Path) -> int | None:
    """Parameters of a checkpoint, from the headers of its safetensors files; None where it has none."""
    total = 0
    for file in path.glob("*.safetensors"):
        if file.name in OPTIMIZER_FILES:
            continue
        with safe_open(file, framework="pt") as saved:
            shapes = [saved.get_slice(name).get_shape() for name in saved.keys()]  # noqa: SIM118 (no mapping)
        total += sum(math.prod(shape) for shape in shapes)
    return total or None
