"""A built index."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.trackstar.index import build_index
from tests.support.small_index import PASSAGES, SMALL


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory, checkpoints: Callable[..., Path]) -> Path:
    """An index to read or to copy."""
    out = tmp_path_factory.mktemp("built") / "index"
    build_index(checkpoints("llama"), PASSAGES, out, corpus_name="tiny", model_name="llama", **SMALL)
    return out


@pytest.fixture
def built(tmp_path: Path, built_once: Path) -> Path:
    """The same, the test's own."""
    return Path(shutil.copytree(built_once, tmp_path / "index"))
