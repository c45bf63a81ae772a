"""What every test may ask for: a store on SQLite and on a real PostgreSQL, fresh and migrated."""

import gc
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from app.settings import get_settings
from app.store.engine import Store, migrate, open_store
from tests.support.databases import DATABASES, PostgreSQL, filled_file, postgresql
from tests.support.leftovers import nothing_left
from tests.support.once import begin, end, once
from tests.support.seeded import fill

OTHER_ARCHITECTURES = frozenset({"gpt2", "gemma", "neo", "neox", "olmo"})  # than llama
WHOLLY_SLOW = re.compile(r"^pytestmark = pytest\.mark\.slow$", re.MULTILINE)
# How long drawing takes is the machine's affair. The whole run draws a hundred of each, a developer's loop fifteen.
settings.register_profile("whole", suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("whole"), max_examples=15)
settings.load_profile("whole")
os.environ.setdefault("STARTRAIL_ALLOWED_HOSTS", "testserver")  # what Starlette's test client calls the site
os.environ.update(
    COLUMNS="300", TERM="xterm"
)  # tables are as wide in every terminal: consoles read it as they are imported
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # ranx would compile itself for a minute


def pytest_configure(config: pytest.Config) -> None:
    """The directory of what the workers share."""
    begin(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """It goes with the run."""
    end(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Who leaves slow tests out does not import files that hold nothing else: what they import takes seconds."""
    if "not slow" not in config.option.markexpr or collection_path.suffix != ".py":
        return None
    return WHOLLY_SLOW.search(collection_path.read_text()) is not None or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs PostgreSQL, leaves all architectures but one to the whole run, and puts files with slow tests first:
    else one worker is busy with the last of them while the others have nothing to do.
    """
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
        if any(isinstance(each, str) and each in OTHER_ARCHITECTURES for each in parameters):
            item.add_marker("slow")
        asked = getattr(item, "fixturenames", ())
        if "[postgresql" in item.name or "-postgresql" in item.name or "postgresql_server" in asked:
            item.add_marker("postgresql")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What was imported lives as long as the process: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_settings() -> Iterator[None]:
    """Commands read the environment of their own test: a process keeps what it read first."""
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No thread and no process outlives its test. A site that a browser visits outlives it, and reads files in a thread."""
    with nothing_left(*(["import_"] if "browser" in request.path.parts else [])):
        yield


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One server for the whole run, started when the first test asks; its absence is a failure, not a skip."""
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite() -> Path:
    """An SQLite file with all tables and nothing in them, to copy."""
    return once("migrated", lambda place: migrate(f"sqlite:///{place / 'startrail.db'}")) / "startrail.db"


@pytest.fixture(scope="session")
def filled_sqlite(migrated_sqlite: Path) -> Path:
    """An SQLite file filled by `tests.support.seeded.fill`, to copy."""
    return filled_file("filled", migrated_sqlite, fill)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database. One database only:
    `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`."""
    if request.param == "sqlite":
        path = tmp_path / "startrail.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        with server.migrated() as url:
            yield url


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which nothing was made yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        with server.empty() as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A fresh store, once on each database."""
    opened = open_store(database_url)
    yield opened
    opened.engine.dispose()
