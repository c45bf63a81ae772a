from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch

from app.models.load import LoadedModel, load_model


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A tiny checkpoint directory by architecture and optimizer, made once."""
    made: dict[tuple[str, str | None, int], Path] = {}

    def get(kind: str = "llama", optimizer: str | None = "adafactor", seed: int = 0) -> Path:
        key = (kind, optimizer, seed)
        if key not in made:
            path = tmp_path_factory.mktemp("models") / f"{kind}-{optimizer}-{seed}"
            made[key] = tiny.save_model(path, kind, optimizer=optimizer, seed=seed)
        return made[key]

    return get


@pytest.fixture(scope="session")
def load(checkpoints: Callable[..., Path]) -> Callable[..., LoadedModel]:
    """The same, loaded."""
    made: dict[tuple[object, ...], LoadedModel] = {}

    def get(
        kind: str = "llama", optimizer: str | None = "adafactor", dtype: torch.dtype = torch.float32
    ) -> LoadedModel:
        key = (kind, optimizer, dtype)
        if key not in made:
            made[key] = load_model(checkpoints(kind, optimizer), dtype=dtype)
        return made[key]

    return get


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tests share two cores, and equal bytes need an equal number of threads."""
    torch.set_num_threads(1)
