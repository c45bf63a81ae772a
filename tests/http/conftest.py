"""The site over a filled store, on both databases."""

import shutil
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.store.engine import Store
from app.tracing.worker import Worker
from tests.support.asking import made_home, put_corpus, settings_of, worker_of
from tests.support.databases import DATABASES, PostgreSQL, filled
from tests.support.seeded import fill
from tests.support.sites import site


@pytest.fixture
def asked(store: Store, database_url: str) -> Iterator[tuple[TestClient, Worker]]:
    """A site over a store with a corpus, and a worker that answers when told to."""
    put_corpus(store)
    with (
        worker_of(settings_of(made_home(), database_url), store) as worker,
        site(database_url, made_home()) as client,
    ):
        yield client, worker


@pytest.fixture(scope="session")
def filled_postgresql(postgresql_server: PostgreSQL) -> str:
    """A PostgreSQL database filled once for the whole run."""
    return filled(postgresql_server.lasting(), fill)


@pytest.fixture(scope="session", params=DATABASES)
def filled_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database filled once for the whole run: tests that use it only read."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("filled_postgresql"))
    copy = tmp_path_factory.mktemp("filled") / "startrail.db"
    shutil.copy(request.getfixturevalue("filled_sqlite"), copy)
    return f"sqlite:///{copy}"


@pytest.fixture(scope="session")
def client(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A reader of the filled site."""
    with site(filled_url, tmp_path_factory.mktemp("home")) as opened:
        yield opened
