"""The models of a directory, told by their files without loading one."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from app.models.checkpoint import count_parameters
from app.models.optimizer_state import has_optimizer


@dataclass(frozen=True)
class ListedModel:
    """A checkpoint; without architecture and parameters where its files are damaged."""

    name: str
    architecture: str | None
    parameters: int | None
    optimizer: bool


def list_checkpoints(folder: Path) -> list[ListedModel]:
    """The checkpoints in a directory, by name: those with a `config.json`."""
    return [_listed(path.parent) for path in sorted(folder.glob("*/config.json"))]


def _listed(path: Path) -> ListedModel:
    try:
        kind = (json.loads((path / "config.json").read_bytes()).get("architectures") or ["?"])[0]
        return ListedModel(path.name, kind, count_parameters(path), has_optimizer(path))
    except (ValueError, AttributeError, OSError, SafetensorError):
        return ListedModel(path.name, None, None, has_optimizer(path))
