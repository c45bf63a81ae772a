"""Databases for the tests: SQLite files, and a PostgreSQL server of our own on a socket in a temporary directory."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session

from app.store.engine import migrate, open_store
from app.store.schema import METADATA
from tests.support.once import once

DATABASES = ("sqlite", "postgresql")
# Lost data would not matter here, waiting for the disk does.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
    "shared_buffers": "32MB", "max_connections": "60", "listen_addresses": "",
}  # fmt: skip
DURABLE = {
    "synchronous_commit": "on",
    "full_page_writes": "on",
}  # fsync is for machines that fail, not for servers
START_SECONDS = 60


class PostgreSQL:
    """A running server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._numbers = count(1)
        self._shared = self._migrated = ""

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """The URL of a database with all tables and no rows: the same one each time, emptied, for that takes
        milliseconds and a new one the better part of a second."""
        if not self._shared:
            self._do("postgres", f"CREATE DATABASE shared TEMPLATE {self._template()}")
            self._shared = self.url("shared")
        yield self._shared
        self._do(
            "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shared'"
        )
        # Deleting would be faster, but dead rows and statistics of other tests' rows would make for odd plans.
        tables = ", ".join(METADATA.tables)
        self._do("shared", f"TRUNCATE {tables} RESTART IDENTITY")

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a new database without tables."""
        name = f"empty_{next(self._numbers)}"
        self._do("postgres", f"CREATE DATABASE {name} TEMPLATE template0")
        yield self.url(name)
        self._do("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def lasting(self) -> str:
        """The URL of a new, migrated database that is kept until the server stops, for tests that only read it."""
        name = f"lasting_{next(self._numbers)}"
        self._do("postgres", f"CREATE DATABASE {name} TEMPLATE {self._template()}")
        return self.url(name)

    def _template(self) -> str:
        """A database with all tables and no rows, migrated once: a copy of it takes a tenth of the time."""
        if not self._migrated:
            self._do("postgres", "CREATE DATABASE migrated TEMPLATE template0")
            migrate(self.url("migrated"))
            self._migrated = "migrated"
        return self._migrated

    def _do(self, database: str, *statements: str) -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """A PostgreSQL server that lives as long as the block.

    Args:
        durable: what was committed is there after an immediate restart, as with a server that is not of tests.

    Raises:
        RuntimeError: the server's programs are missing, or it does not start.
    """
    programs = find_programs()
    directory = Path(tempfile.mkdtemp(prefix="startrail-pg-"))
    identity: dict[str, Any] = unprivileged()
    if identity:
        os.chown(directory, identity["user"], identity["group"])
    data, log = directory / "data", directory / "log"
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        capture_output=True, text=True, cwd=directory, **identity,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr}")
    settings = [
        word
        for name, value in (FAST | (DURABLE if durable else {})).items()
        for word in ("-c", f"{name}={value}")
    ]
    with log.open("w") as output:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", directory, *settings],
            stdout=output, stderr=output, cwd=directory, preexec_fn=_die_with_parent, **identity,
        )  # fmt: skip
    try:
        running = PostgreSQL(directory)
        _wait(running, server, log)
        yield running
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown: connections that are left are closed
        server.wait(timeout=30)
        shutil.rmtree(directory, ignore_errors=True)


def find_programs() -> Path:
    """The directory with `initdb` and `postgres`: Debian keeps them off the PATH, by version."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    on_path = shutil.which("postgres")
    for directory in [*versions, *([Path(on_path).parent] if on_path else [])]:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise RuntimeError(
        "These tests need PostgreSQL's server (15 or newer), which they start themselves: "
        "`apt-get install postgresql`, or put the directory of `postgres` and `initdb` on the PATH."
    )


def unprivileged() -> dict[str, int]:
    """Popen's `user` and `group` for a server that refuses to run as root; nothing if we are not."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid}
    raise RuntimeError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`.")


def _wait(running: PostgreSQL, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(running.url("postgres")).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.05)


def _die_with_parent() -> None:
    """No server outlives a test run that was killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def filled_file(name: str, migrated_sqlite: Path, fill: Callable[[Session], object]) -> Path:
    """An SQLite file that `fill` has filled, once for all workers, to copy."""

    def make(place: Path) -> None:
        shutil.copy(migrated_sqlite, place / "startrail.db")
        filled(f"sqlite:///{place / 'startrail.db'}", fill)

    return once(name, make) / "startrail.db"


def filled(url: str, fill: Callable[[Session], object]) -> str:
    """The URL of a migrated database, which `fill` has filled."""
    store = open_store(url)
    with store.session() as session:
        fill(session)
    store.engine.dispose()
    return url


def filled_database(
    request: pytest.FixtureRequest, folder: Path, migrated_sqlite: Path, fill: Callable[[Session], object]
) -> str:
    """The URL of a new database of the kind that the fixture's parameter names, filled; on SQLite it lies in `folder`."""
    if request.param != "sqlite":
        return filled(request.getfixturevalue("postgresql_server").lasting(), fill)
    shutil.copy(migrated_sqlite, folder / "startrail.db")
    return filled(f"sqlite:///{folder / 'startrail.db'}", fill)
