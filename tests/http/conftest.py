"""The site over a filled store, on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.store.engine import open_store
from tests.support.seeded import fill
from tests.support.sites import site, store_of

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session", params=DATABASES)
def filled_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> str:
    """A database filled once for the whole run: tests that use it only read."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("filled") / "startrail.db"
        shutil.copy(migrated_sqlite, path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("postgresql_server").lasting()
    store = open_store(url)
    with store.session() as session:
        fill(session)
    store.engine.dispose()
    return url


@pytest.fixture(scope="session")
def client(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A reader of the filled site."""
    with site(filled_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened
        store_of(opened).engine.dispose()
