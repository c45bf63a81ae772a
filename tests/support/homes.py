"""A home for commands: they read where it is from the environment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.settings import get_settings
from app.store.engine import open_store


@contextmanager
def filled_home(folder: Path, fill: Callable[[Session], object]) -> Iterator[Path]:
    """While the block lasts, commands work in `folder`, on an SQLite store that `fill` has filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARTRAIL_HOME", str(folder))
        patch.delenv("STARTRAIL_DATABASE_URL", raising=False)
        get_settings.cache_clear()
        store = open_store(get_settings().url, migrate=True)
        with store.session() as session:
            fill(session)
        store.engine.dispose()
        yield folder
    get_settings.cache_clear()
