"""A reader of a site with a dozen evaluated runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.store.engine import open_store
from tests.support.evaluated import fill
from tests.support.sites import site, store_of


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def evaluation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[TestClient]:
    """A reader of a site with a dozen evaluated runs; tests only read."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("evaluated") / "startrail.db"
        shutil.copy(migrated_sqlite, path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("postgresql_server").lasting()
    store = open_store(url)
    with store.session() as session:
        fill(session)
    store.engine.dispose()
    with site(url, tmp_path_factory.mktemp("home")) as opened:
        yield opened
        store_of(opened).engine.dispose()
