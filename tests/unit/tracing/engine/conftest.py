"""One home, one store and one worker for the tests of the engine: every test asks questions of its own."""

import shutil
from collections.abc import Iterator

import pytest

from app.models.load import LoadedModel, load_model
from app.settings import Settings
from app.store.engine import Store, open_store
from app.tracing.worker import Worker
from app.trackstar.encode import Encoder
from app.trackstar.index import open_index
from tests.support.asking import made_home, settings_of, worker_of


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the home: its store is written to."""
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(made_home(), home)
    return settings_of(home)


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """One SQLite store for the whole file: every test asks questions of its own."""
    opened = open_store(settings.url)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="module")
def worker(settings: Settings, store: Store) -> Iterator[Worker]:
    with worker_of(settings, store) as made:
        yield made


@pytest.fixture(scope="module")
def model(settings: Settings) -> LoadedModel:
    return load_model(settings.models / "demo")


@pytest.fixture(scope="module")
def encoder(settings: Settings, model: LoadedModel) -> Encoder:
    return open_index(settings.indexes / "demo").encoder(model)
