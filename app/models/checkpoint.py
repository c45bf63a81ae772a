"""What lies in a model directory: which files are whose, and what is refused before anything of it is opened.

    config.json           the architecture; one of several parts (text, vision) is taken as its text model
    *.safetensors         weights, in one file or several; or pytorch_model*.bin, of which only tensors are read
    adapter_config.json   an adapter (PEFT) that stands on the weights, beside them or on a base that it names
    tokenizer.json        or another tokenizer file; a Trainer's checkpoint may have it one directory higher
    optimizer.*           the optimizer's state

No code that comes with a model is ever run: neither its modules nor what a pickle asks for.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from app.errors import UserError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "tekken.json",
)
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin", "adapter_model.bin")
OPTIMIZER_FILES = ("optimizer.safetensors", "optimizer.pt")
CONFIG, ADAPTER, TRAINER = "config.json", "adapter_config.json", "trainer_state.json"
QUANTISED = {"gptq": "GPTQ", "awq": "AWQ", "bitsandbytes": "bitsandbytes", "fp8": "FP8", "mxfp4": "MXFP4"}


@dataclass(frozen=True)
class Checkpoint:
    """A model's files.

    Args:
        path: the directory that was named.
        base: where its configuration and its own weights lie: another directory for an adapter that names its base.
        tokenizer: where its tokenizer lies.
        adapter: an adapter stands on the weights.
        text_of: the configuration has parts of which one is the text model: their kind; empty where it is one model.
    """

    path: Path
    base: Path
    tokenizer: Path
    adapter: bool
    text_of: str = ""

    @property
    def taken_as(self) -> list[str]:
        """What is to be said of how the files were read; nothing where they are one plain model."""
        said = [f"the text model of a {self.text_of} checkpoint"] if self.text_of else []
        if self.adapter:
            about = read_json(self.path / ADAPTER)
            rank = f" of rank {about['r']}" if "r" in about else ""
            said.append(f"a {about.get('peft_type', 'PEFT')} adapter{rank} on {self.base.name}")
        return said


def read_checkpoint(path: Path) -> Checkpoint:
    """The files of the model in the directory `path`.

    Raises:
        UserError: it is no model, a part is missing, or it is of a kind that is not read; the message says what to do.
    """
    adapter = (path / ADAPTER).is_file()
    base = path if (path / CONFIG).is_file() or not adapter else adapter_base(path)
    if not (base / CONFIG).is_file():
        raise UserError(
            f"{path} is no model: it has no config.json.",
            remedy="Give a directory written by save_pretrained, with config.json, weights and tokenizer.",
        )
    config = read_json(base / CONFIG)
    _refuse_quantised(path, config)
    _refuse_code(path, config)
    weight_files(base)
    kind = str(config.get("model_type", "")) if isinstance(config.get("text_config"), dict) else ""
    return Checkpoint(path, base, _tokenizer_place(path, base), adapter, kind)


def check_files(path: Path) -> None:
    """Whether a directory has the files of a checkpoint: configuration, tokenizer and weights.

    Raises:
        UserError: see `read_checkpoint`.
    """
    read_checkpoint(path)


def adapter_base(path: Path) -> Path:
    """The directory of the model that an adapter names as its base: a path, or a name in the hub's cache.

    Raises:
        UserError: it names none, or it is not on this machine.
    """
    about = read_json(path / ADAPTER)
    name = str(about.get("base_model_name_or_path") or "")
    for place in (Path(name), path / name, path.parent / Path(name).name):
        if name and (place / CONFIG).is_file():
            return place.resolve()
    if name.count("/") == 1:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            return Path(snapshot_download(name, revision=about.get("revision"), local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, OSError):
            pass
    raise UserError(
        f"The adapter in {path} belongs to {name or 'a model it does not name'}, which is not on this machine.",
        file=path / ADAPTER,
        field="base_model_name_or_path",
        remedy="Put the base's directory beside the adapter's, or write its path there.",
    )


def weight_files(path: Path) -> set[Path]:
    """The files that hold weights.

    Raises:
        UserError: there are none.
    """
    weights = {file for pattern in WEIGHT_FILES for file in path.glob(pattern)}
    weights -= {path / name for name in OPTIMIZER_FILES}
    if not weights:
        raise UserError(
            f"{path} holds no weights.", remedy="It needs model.safetensors or pytorch_model.bin."
        )
    return weights


def weight_bytes(path: Path) -> int:
    """Bytes of a model's weight files, of an adapter's with its base's.

    Raises:
        UserError: see `read_checkpoint`.
    """
    places = {path, read_checkpoint(path).base}
    return sum(file.stat().st_size for place in places for file in weight_files(place))


def model_sha256(path: Path) -> str:
    """SHA-256 over the names and bytes of the configuration, weight and tokenizer files, an adapter's base included.

    Raises:
        UserError: there are no weight files.
    """
    found = read_checkpoint(path)
    places = list(dict.fromkeys([path, found.base, found.tokenizer]))
    weights = set().union(*(weight_files(place) for place in dict.fromkeys([path, found.base])))
    others = [
        place / name
        for place in places
        for name in (CONFIG, ADAPTER, *TOKENIZER_FILES)
        if (place / name).is_file()
    ]
    digest = hashlib.sha256()
    for file in sorted({*weights, *others}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def count_parameters(path: Path) -> int | None:
    """Parameters of a checkpoint, from the headers of its safetensors files; None where it has none."""
    total = 0
    for file in path.glob("*.safetensors"):
        if file.name in OPTIMIZER_FILES:
            continue
        with safe_open(file, framework="pt") as saved:
            shapes = [saved.get_slice(name).get_shape() for name in saved.keys()]  # noqa: SIM118  # `saved` has keys() and is no mapping
        total += sum(math.prod(shape) for shape in shapes)
    return total or None


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none.

    Raises:
        UserError: it cannot be read as one.
    """
    try:
        found = json.loads(file.read_bytes()) if file.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"It cannot be read: {error}.", file=file, remedy="Copy it again; it may be cut short."
        ) from None
    return found if isinstance(found, dict) else {}


def _tokenizer_place(path: Path, base: Path) -> Path:
    above = [path.parent] if (path / TRAINER).is_file() else []
    for place in (path, *above, base):
        if any((place / name).is_file() for name in TOKENIZER_FILES):
            return place
    raise UserError(
        f"{path} has no tokenizer.",
        remedy="Put the tokenizer's files (tokenizer.json) beside the weights: tokenizer.save_pretrained(DIR).",
    )


def _refuse_quantised(path: Path, config: Mapping[str, Any]) -> None:
    about = config.get("quantization_config") or config.get("compression_config")
    if about:
        method = str(about.get("quant_method", "")) if isinstance(about, dict) else ""
        raise UserError(
            f"The weights in {path} are quantised ({QUANTISED.get(method, method or 'by no known method')}): gradients"
            " are not taken of such weights.",
            file=path / CONFIG,
            field="quantization_config",
            remedy="Give the model that they were made from, or a copy that is dequantised: load it with transformers,"
            " call model.dequantize(), and save it with save_pretrained.",
        )


def _refuse_code(path: Path, config: Mapping[str, Any]) -> None:
    """A model that needs code of its own; one that only brings some is read by transformers' own."""
    if config.get("auto_map") and config.get("model_type") not in CONFIG_MAPPING_NAMES:
        raise UserError(
            f"{path} brings code of its own for the architecture {config.get('model_type')!r}, which is never run.",
            file=path / CONFIG,
            field="auto_map",
            remedy="Give a copy in an architecture that transformers knows.",
        )
