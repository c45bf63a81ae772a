"""`startrail …` on the store of the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.settings import get_settings
from app.store.engine import Store


@pytest.fixture
def run(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Result]]:
    """Calls the command line as a shell would, on the test's own database."""
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", database_url)
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    get_settings.cache_clear()

    def call(*words: Any, answer: str = "") -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=answer)

    yield call
    get_settings.cache_clear()
