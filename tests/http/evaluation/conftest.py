"""A reader of a site with a dozen evaluated runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.databases import filled_database
from tests.support.evaluated import fill
from tests.support.sites import site, store_of


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def evaluation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[TestClient]:
    """A reader of a site with a dozen evaluated runs; tests only read."""
    url = filled_database(request, tmp_path_factory.mktemp("evaluated"), migrated_sqlite, fill)
    with site(url, tmp_path_factory.mktemp("home")) as opened:
        yield opened
        store_of(opened).engine.dispose()
