"""Loads a Hugging Face causal LM checkpoint from disk, frozen, with its tokenizer and linear weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from app.errors import UserError
from app.models.adapter_ways import ADAPTERS, OWN
from app.models.adapters import with_adapter
from app.models.checkpoint import ADAPTER, Checkpoint, model_sha256, read_checkpoint
from app.models.context_length import longest_input
from app.models.marks import BOTH, TOKENIZER, Marks
from app.models.text import Texts
from app.models.weights import LinearWeight, find_weights, layers_of, left_out

TEXT_PART = {  # where a checkpoint of several parts keeps its text model, older and newer ways
    r"^model\.language_model\.": "model.",
    r"^language_model\.model\.": "model.",
    r"^language_model\.lm_head\.": "lm_head.",
}
UNSAID = 2048  # tokens of context, where neither model nor tokenizer says how many
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint in memory: evaluation mode, parameters frozen.

    Args:
        weights: linear weights of the blocks, the ones gradients are taken of.
        sha256: over configuration, weights and tokenizer files; the optimizer's state has its own hash.
        context: longest input in tokens.
        marks: what stands around texts.
        taken_as: what is to be said of how the files were read; empty for one plain model.
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
    taken_as: tuple[str, ...] = ()

    @property
    def texts(self) -> Texts:
        """Text to tokens for this model."""
        model: Any = self.model  # torch does not say what a module of transformers has
        return Texts(self.tokenizer, self.context, self.marks, len(model.get_input_embeddings().weight))

    @property
    def adapted(self) -> bool:
        """Whether it has an adapter."""
        return (self.path / ADAPTER).is_file()

    @property
    def left_out(self) -> list[str]:
        """Matrices of the blocks that gradients are not taken of, see `app.models.weights.left_out`."""
        return left_out(self.model, self.weights)

    @property
    def layers(self) -> int:
        """Number of blocks that hold weights."""
        return len(layers_of(self.weights))


def load_model(
    path: Path,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    override: Mapping[str, str] | None = None,
    marks: str | Marks = "",
    adapter: str = OWN,
) -> LoadedModel:
    """Loads the checkpoint directory `path`.

    Args:
        device: `cpu`, `cuda`, `cuda:1`, …; `auto` is CUDA where there is one.
        dtype: of weights and computation, whatever the files hold: float32, bfloat16 or float64.
        override: which weights are attention and which MLP; see `find_weights`.
        marks: what stands around texts, a name of `app.models.marks.CONVENTIONS`; empty: the model's own.
        adapter: of a model with an adapter, a name of `app.models.adapter_ways.ADAPTERS`.

    Raises:
        UserError: no checkpoint, no tokenizer, an architecture that cannot be read, or no such device.
    """
    path = Path(path)
    files = read_checkpoint(path)
    place = _device(device)
    tokenizer = load_tokenizer(path)
    model = _read(files, dtype)
    if files.adapter:
        model = with_adapter(model, path, adapter)
    model.requires_grad_(False).eval().to(place)
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        weights=find_weights(model, override),
        taken_as=(*files.taken_as, *([f"gradients of {ADAPTERS[adapter]}"] if files.adapter else [])),
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


def _convention(path: Path) -> str:
    """Models that `startrail pretrain` made before their tokenizers said so were trained with both marks."""
    return BOTH if (path / "training.json").is_file() else TOKENIZER


def _read(files: Checkpoint, dtype: torch.dtype) -> Any:
    """The model, each weight as its file says it."""
    path = files.base
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what a text model leaves of a checkpoint with pictures is no news
    asked: dict[str, Any] = {"dtype": dtype, "local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        if files.text_of:
            asked |= {"config": config.get_text_config(), "key_mapping": TEXT_PART}
        with _alone(path, files.adapter) as place:
            model, report = AutoModelForCausalLM.from_pretrained(place, output_loading_info=True, **asked)
    except UnpicklingError:
        raise UserError(
            f"The weights in {path} are no plain tensors: their file asks for code to be run, which is never done.",
            remedy="Give the weights as safetensors.",
        ) from None
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
    return model


@contextmanager
def _alone(path: Path, adapter: bool) -> Iterator[Path]:
    """A place with the model's files and none of an adapter's, which transformers would read too, or pass over in silence."""
    if not adapter or not (path / ADAPTER).is_file():
        yield path
        return
    with TemporaryDirectory() as place:
        for file in path.iterdir():
            if file.is_file() and not file.name.startswith("adapter_"):
                (Path(place) / file.name).symlink_to(file.resolve())
        yield Path(place)


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of the checkpoint directory `path`.

    Raises:
        UserError: it is no checkpoint, or its tokenizer cannot be read.
    """
    path = read_checkpoint(path).tokenizer
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
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
        raise UserError(
            "This machine has no CUDA device.", field="device", remedy="Compute on the device cpu."
        )
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
