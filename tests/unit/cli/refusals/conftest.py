"""A home that the commands filled, and copies of it to be damaged."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.settings import get_settings
from tests.support.commands import INDEX, startrail, written


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, checkpoints: Callable[..., Path]) -> tuple[Path, str]:
    """A home with model, corpus, prompts and the index `tiny`, made by the commands; and what `index` printed."""
    place = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        at_home(place / "home", patch)
        shutil.copytree(checkpoints("llama"), place / "home" / "models" / "m")
        printed = startrail("index", "m", written(place / "tiny.jsonl"), "--name", "tiny", *INDEX)
        prompts = place / "asked.jsonl"
        asked = {"id": "one", "prompt": "The capital of France is", "target": "Paris"}
        prompts.write_text(json.dumps(asked) + "\n")
        added = startrail("prompts", "add", prompts, "--name", "asked", "--corpus", "tiny")
    get_settings.cache_clear()
    assert (printed.exit_code, added.exit_code) == (0, 0), printed.output + added.output
    return place / "home", " ".join(printed.output.split())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home."""
    at_home(tmp_path / "home", monkeypatch)
    yield tmp_path / "home"
    get_settings.cache_clear()


@pytest.fixture
def whole(home: Path, filled: tuple[Path, str]) -> Path:
    """A copy of the filled home, to be damaged."""
    shutil.copytree(filled[0], home)
    return home


def at_home(home: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("STARTRAIL_HOME", str(home))
    patch.setenv("STARTRAIL_DEVICE", "cpu")
    patch.setenv("STARTRAIL_DEFAULT_INDEX", "tiny")
    patch.setenv("STARTRAIL_DEFAULT_MODEL", "m")
    patch.delenv("STARTRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
