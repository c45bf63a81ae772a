"""A built index."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.trackstar.index import build_index
from tests.support.small_index import PASSAGES, SMALL


@pytest.fixture
def built(tmp_path: Path, checkpoints: Callable[..., Path]) -> Path:
    out = tmp_path / "index"
    build_index(checkpoints("llama"), PASSAGES, out, corpus_name="tiny", model_name="llama", **SMALL)
    return out
