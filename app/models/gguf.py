"""A GGUF file becomes a checkpoint directory: its weights dequantised, each to the number that the file says.

What is written says so (README.md): influence is then that of the weights which llama.cpp and its kin compute with, not of
those that were quantised.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from app.digests import file_sha256
from app.errors import UserError
from app.files import whole

CARD = """---
description: "Dequantised from {name}, a GGUF file (sha256 {sha256})."
source: "{name}"
---

Weights of a GGUF file, dequantised to float32.
"""
MAGIC = b"GGUF"


def is_gguf(path: Path) -> bool:
    """Whether it is a GGUF file, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def dequantise(file: Path, out: Path) -> None:
    """Writes the model and the tokenizer of a GGUF file as the checkpoint directory `out`, whole or not at all.

    Raises:
        UserError: the package that reads the format is not installed, or the file cannot be read.
    """
    try:
        import gguf  # noqa: F401  # transformers reads the file with it: here only whether it is installed
    except ImportError:
        raise UserError(
            f"{file} is a GGUF file, and gguf, which reads them, is not installed.",
            remedy="Install it: pip install 'startrail[gguf]'.",
        ) from None
    logging.disable_progress_bar()
    asked: dict[str, Any] = {
        "gguf_file": file.name,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **asked)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **asked)
    except Exception as error:  # its reader raises whatever a damaged header leads it to
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"It cannot be read as a model: {line}",
            file=file,
            remedy="Copy it again; it may be cut short, or of an architecture that transformers does not read from GGUF.",
        ) from None
    model.hf_quantizer = None  # its numbers are plain ones now: saved as any other model's
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole(out) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        (partial / "README.md").write_text(CARD.format(name=file.name, sha256=file_sha256(file)))
