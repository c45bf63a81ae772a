"""A reader of a site with a dozen evaluated runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.databases import PostgreSQL, filled, filled_file
from tests.support.evaluated import fill
from tests.support.sites import site


@pytest.fixture(scope="session")
def evaluated_postgresql(postgresql_server: PostgreSQL) -> str:
    """A PostgreSQL database with them."""
    return filled(postgresql_server.lasting(), fill)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def evaluation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[TestClient]:
    """A reader of a site with a dozen evaluated runs; tests only read."""
    if request.param == "postgresql":
        url = str(request.getfixturevalue("evaluated_postgresql"))
    else:
        copy = tmp_path_factory.mktemp("evaluated") / "startrail.db"
        shutil.copy(filled_file("evaluated", migrated_sqlite, fill), copy)
        url = f"sqlite:///{copy}"
    with site(url, tmp_path_factory.mktemp("home")) as opened:
        yield opened
