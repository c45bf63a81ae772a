"""What tests of the parts may ask for: the command line on a store of the test's own, and tiny models of every architecture."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.models.load import LoadedModel, load_model
from app.settings import get_settings
from app.store.engine import Store
from tests.support import tiny


@pytest.fixture
def run(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Result]]:
    """Calls the command line as a shell would, on the test's own database."""
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()

    def call(*words: Any, answer: str = "") -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=answer)

    yield call
    get_settings.cache_clear()


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
