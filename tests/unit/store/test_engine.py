"""The migrations make what the code expects, nothing more and nothing less, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from alembic import command
from app.errors import UserError
from app.paths import ALEMBIC
from app.store.engine import Store, make_engine, migrate, open_store
from app.store.schema import METADATA
from app.store.writing import write_alone
from tests.support.seeded import fill

NOT_OURS = ("_fts", "alembic_version")


def test_migrations_make_the_tables_of_the_code(store: Store) -> None:
    """A column added to tables.py without a migration would only fail on someone's real database."""

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return not (name and kind in ("table", "index") and any(part in name for part in NOT_OURS))

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": ours, "compare_type": True, "render_as_batch": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_migrations_are_called_after_their_versions() -> None:
    """The store reads the newest version from the files' names, to start without loading Alembic."""
    scripts = ScriptDirectory(str(ALEMBIC))
    files = [Path(each.path).name for each in scripts.walk_revisions()]
    assert files == sorted(files, reverse=True)
    assert files[0].startswith(f"{scripts.get_current_head()}_")


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)
    open_store(empty_url).engine.dispose()


@pytest.mark.slow
def test_back_and_forth_leaves_an_empty_database(empty_url: str) -> None:
    migrate(empty_url)
    engine = make_engine(empty_url)
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with engine.connect() as connection:
        left = [t for t in inspect(connection).get_table_names() if t != "alembic_version"]
        assert [t for t in left if not t.startswith("sqlite_")] == []
    engine.dispose()
    migrate(empty_url)


def test_a_database_of_no_version_is_refused_with_what_to_do(empty_url: str) -> None:
    with pytest.raises(UserError, match="startrail migrate"):
        open_store(empty_url)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes, not a database." * 100)
    with pytest.raises(UserError, match=r"notes\.db"):
        open_store(f"sqlite:///{path}", migrate=True)


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://nobody@127.0.0.1:1/none", "mysql://x/y", "oracle+x://"]
)
def test_an_unusable_url_is_one_sentence(url: str) -> None:
    with pytest.raises(UserError) as error:
        open_store(url, migrate=True)
    assert error.value.field == "STARTRAIL_DATABASE_URL"
    assert error.value.remedy


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_tuned_for_readers_beside_one_writer(store: Store) -> None:
    with store.engine.connect() as connection:
        values = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 15000}


def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    migrate(empty_url)
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(UserError, match="9999"):
        migrate(empty_url)


@pytest.mark.slow
def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Turning a file to WAL is refused at once while another does it, whatever SQLite's own patience. A hundred files,
    because it happens to one in some hundreds of connections."""

    def connect(url: str) -> None:
        engine = make_engine(url)
        engine.connect().close()
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        for number in range(100):
            list(pool.map(connect, [f"sqlite:///{tmp_path}/{number}.db"] * 8))


def test_many_processes_may_migrate_at_once(empty_url: str) -> None:
    """Site and worker start together on a new machine; neither may find the other's half-made tables."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, empty_url) for _ in range(4)]:
            done.result()
    open_store(empty_url).engine.dispose()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_migration_that_breaks_off_leaves_nothing(empty_url: str) -> None:
    """SQLite would otherwise keep every table made before the failure, and the next attempt would find them."""
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE retrieved (x)"))  # what the migration makes late
    with pytest.raises(UserError, match="retrieved"):
        migrate(empty_url)
    assert set(inspect(engine).get_table_names()) <= {"retrieved"}
    engine.dispose()


@pytest.mark.slow
def test_no_migration_loses_a_row(tmp_path: Path) -> None:
    """SQLite makes a table anew to change it; with foreign keys on, dropping the old one takes all that refers to it."""
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    store = open_store(url, migrate=True)
    with store.session() as session:
        fill(session, prompts=4, passages=20, k=3)
    names = [table.name for table in METADATA.sorted_tables]

    def rows() -> dict[str, int]:
        with store.engine.connect() as connection:
            return {
                name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()
                for name in names
            }

    before = rows()
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        connection.commit()
    migrate(url)
    assert rows() == before
    assert before["retrieved"]
    store.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_connection_from_when_nobody_might_write_is_not_used_for_ever(store: Store) -> None:
    """The home's files were made read-only and writable again: a worker's pool went on with connections that were opened
    meanwhile, and nothing was answered any more."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")  # as SQLite opens a file that it may not write to
    with pytest.raises(DBAPIError, match="readonly database"), store.session() as session:
        write_alone(session)
    with store.session() as session:
        write_alone(session)
