"""Opens the store and brings it up to date: SQLite tuned for many readers beside one writer, or PostgreSQL."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, ExceptionContext, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app.errors import UserError
from app.paths import ALEMBIC
from app.store.full_text import NEW_TEXTS, catch_up
from app.store.memory import CHANGED_RUNS
from app.store.privacy import watch

PATIENCE = 15  # seconds that one SQLite connection waits for another
WAL = "PRAGMA journal_mode=WAL"
SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout={PATIENCE * 1000}",
    WAL,
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA journal_size_limit={64 << 20}",  # what a large import left of the log is cut off when it is written back
    "PRAGMA cache_size=-32768",
    "PRAGMA mmap_size=0",  # what was read of a map is the process's as far as memory is counted
    "PRAGMA temp_store=FILE",  # what is put in order beside the file takes no memory for each row
)
# Everything outside ASCII escaped: lone surrogates and U+0000 then pass through any database.
DUMP = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
# What a URL may begin with -> the driver that is used.
DRIVERS = {"sqlite": "sqlite"} | dict.fromkeys(
    ("postgres", "postgresql", "postgresql+psycopg"), "postgresql+psycopg"
)


class Store:
    """An engine and its sessions. Whoever opened it closes it: `with open_store(url) as store`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        watch(self._sessions)

    @contextmanager
    def session(self, *, indexing: Callable[[int, int], None] | None = None) -> Iterator[Session]:
        """A session that commits when the block ends well and rolls back when it does not.

        Texts that it brought are then indexed for search; `indexing` is told how many of how many. Of large runs that it
        changed, what lists need is worked out anew.
        """
        with self._sessions() as session:
            yield session
            session.commit()
        if session.info.pop(NEW_TEXTS, False):
            catch_up(self.engine, indexing)
        if session.info.pop(CHANGED_RUNS, False):
            from app.store.columns import keep_columns  # most commands change no run, and need no numpy

            keep_columns(self.engine)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(url: str, *, migrate: bool = False) -> Store:
    """The store at an SQLAlchemy URL; with `migrate`, created or brought up to date first.

    Raises:
        UserError: the URL makes no sense, the database cannot be reached, its tables are another version's.
    """
    if migrate:
        _upgrade(url)
    store = Store(make_engine(url))
    try:
        if migrate:
            catch_up(store.engine)  # in case the process that brought the last texts died before it did
        else:
            check_version(store.engine)
    except BaseException:
        store.close()
        raise
    return store


def migrate(url: str) -> None:
    """Create the tables at the URL, or bring them up to date."""
    _upgrade(url)


def make_engine(url: str, *, patience: float = 30) -> Engine:
    """An engine for the URL, with the settings that the store relies on; `patience` is how long, in seconds, whoever
    finds all its connections in use waits for one."""
    try:
        parsed = make_url(url)
        known = parsed.drivername in DRIVERS
    except ArgumentError:
        known = False
    if not known:
        raise UserError(
            f"“{url}” is not the URL of a database that Startrail knows.",
            field="STARTRAIL_DATABASE_URL",
            remedy="Use sqlite:////path/to/file.db or postgresql://user:password@host/database.",
        )
    parsed = parsed.set(drivername=DRIVERS[parsed.drivername])
    if parsed.drivername == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    waiting: dict[str, Any] = {} if parsed.database in (None, "", ":memory:") else {"pool_timeout": patience}
    engine = create_engine(
        parsed, json_serializer=DUMP.encode, pool_pre_ping=parsed.drivername != "sqlite", **waiting
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
        event.listen(engine, "handle_error", _forget_read_only)
    else:
        event.listen(engine, "connect", _tune_postgresql)
    return engine


def _tune_postgresql(connection: Any, _: Any) -> None:
    """Pages read some thousands of rows: to compile a statement for the many that it expects takes longer than to run it."""
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")
    connection.commit()


def check_version(engine: Engine) -> None:
    """Refuse a database whose tables are not those of this version.

    Raises:
        UserError: it cannot be reached, or `startrail serve` (which migrates) has to be run first.
    """
    found, wanted = _versions(engine)
    if found != wanted:
        raise UserError(
            f"The database is at version {found or 'none'}, this Startrail at {wanted}.",
            remedy="Run `startrail migrate` first.",
        )


def version_of(url: str) -> str | None:
    """The version of the tables at a URL; None where there are none."""
    engine = make_engine(url)
    try:
        return _versions(engine)[0]
    finally:
        engine.dispose()


def known_version(version: str) -> bool:
    """Whether this Startrail can bring tables of that version up to date."""
    return version in _migrations()


def _versions(engine: Engine) -> tuple[str | None, str]:
    """The database's version and ours. Migrations are called after their version, so that Alembic, which takes longer to
    load than most commands to run, is asked only where there is something to do."""
    with _reached(engine.url.render_as_string()), engine.connect() as connection:
        known = inspect(connection).has_table("alembic_version")
        found = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    return found, max(_migrations())


def _migrations() -> set[str]:
    return {path.name.split("_")[0] for path in (ALEMBIC / "versions").glob("[0-9]*.py")}


def _upgrade(url: str) -> None:
    engine = make_engine(url)
    try:
        found, wanted = _versions(engine)
        if found == wanted:
            return
        if found and not known_version(found):
            raise UserError(
                f"The database is at version {found}, which this Startrail does not know.",
                field="STARTRAIL_DATABASE_URL",
                remedy="A newer Startrail made it: install that one.",
            )
        from alembic.config import Config

        from alembic import command

        config = Config()
        config.set_main_option(
            "script_location", str(ALEMBIC).replace("%", "%%")
        )  # % begins an interpolation
        with _reached(engine.url.render_as_string()), engine.begin() as connection:
            # Site and worker may start at once: the second waits here, then finds nothing left to do.
            if connection.dialect.name == "sqlite":
                # A table that is made anew is dropped first, which must not take what refers to it along.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(_ALONE)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        if found:
            from app.store.columns import keep_columns

            keep_columns(engine)  # what this version keeps otherwise than the one before
    finally:
        engine.dispose()


_ALONE = "SELECT pg_advisory_xact_lock(5741)"


@contextmanager
def _reached(url: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise UserError(
            f"The database {url} cannot be used: {_one_line(error.orig)}.",
            field="STARTRAIL_DATABASE_URL",
            remedy="Check that it is there, running and yours to write to.",
            status=503,
        ) from error


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _forget_read_only(context: ExceptionContext) -> None:
    """A connection that was opened while nobody might write to the file stays so for ever: the pool opens others."""
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def _tune_sqlite(connection: Any, _record: Any) -> None:
    until = time.monotonic() + PATIENCE
    for pragma in SQLITE_PRAGMAS:
        while not _executed(connection, pragma, until):
            time.sleep(0.01)


def _executed(connection: Any, pragma: str, until: float) -> bool:
    """Two that turn a new file to WAL at once: the second is refused at once, whatever its busy_timeout."""
    try:
        connection.execute(pragma)
    except sqlite3.OperationalError as error:
        if pragma != WAL or "locked" not in str(error) or time.monotonic() > until:
            raise
        return False
    return True
