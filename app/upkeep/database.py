"""The database as one file and back: SQLite by its own copying, PostgreSQL by its own programs."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.engine import URL

from app.errors import UserError
from app.files import whole
from app.store.engine import make_engine

SQLITE, DUMP = "startrail.db", "postgresql.dump"
COMPANIONS = ("-wal", "-shm", "-journal")


def name_of(url: str) -> str:
    """What a copy of this database is called."""
    return SQLITE if make_url(url).get_backend_name() == "sqlite" else DUMP


def copy(url: str, to: Path) -> None:
    """Write the database as it is at one moment, whoever else reads or writes it meanwhile.

    Raises:
        UserError: there is none, or PostgreSQL's program is missing or fails.
    """
    parsed = make_url(url)
    if name_of(url) == DUMP:
        _run(parsed, "pg_dump", "--format=custom", "--no-owner", f"--file={to}")
        return
    file = Path(str(parsed.database))
    if not file.is_file():
        raise UserError("There is no database to back up.", file=file, remedy="Check STARTRAIL_HOME.")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as copied:
        source.backup(copied)  # one step: the whole at one moment
        copied.execute("PRAGMA journal_mode=DELETE")


def bring_back(url: str, copied: Path) -> None:
    """Put the copy in the database's place; nothing that came after it stays.

    Raises:
        UserError: somebody uses the database, or PostgreSQL's program is missing or fails.
    """
    parsed = make_url(url)
    if name_of(url) == DUMP:
        _nobody_there(url)
        ours = ("--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error")
        _run(parsed, "pg_restore", *ours, "--dbname", str(parsed.database), str(copied))
        return
    file = Path(str(parsed.database))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_file():
        _not_open(file)
    with whole(file) as partial:
        shutil.copyfile(copied, partial)
        for end in COMPANIONS:  # from which SQLite would bring later changes back
            file.with_name(file.name + end).unlink(missing_ok=True)


def _not_open(file: Path) -> None:
    """Out of its write-ahead mode a database goes only where no other process has it open."""
    try:
        with closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise _in_use(str(file)) from None
    except sqlite3.DatabaseError:
        return  # it is damaged: the more reason to go back


def _nobody_there(url: str) -> None:
    engine = make_engine(url)
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        with engine.connect() as connection:
            if connection.scalar(others):
                raise _in_use(engine.url.render_as_string())
    finally:
        engine.dispose()


def _in_use(name: str) -> UserError:
    return UserError(
        f"The database {name} is in use.", remedy="Stop the site and its workers first, on every machine."
    )


def _run(url: URL, program: str, *arguments: str) -> None:
    """A program of PostgreSQL's; the password goes by the environment, where no list of processes shows it."""
    found = shutil.which(program) or next(
        (str(each) for each in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)),
        None,
    )
    if found is None:
        raise UserError(f"There is no {program} here.", remedy="Install PostgreSQL's client programs.")
    said = {
        "PGHOST": url.host or str(url.query.get("host", "")), "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "", "PGPASSWORD": str(url.password or ""), "PGDATABASE": url.database or "",
    }  # fmt: skip
    environment = {**os.environ, **{name: value for name, value in said.items() if value}}
    made = subprocess.run([found, *arguments], env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{program} failed: {last}", remedy="Its version must be the server's, or newer.")
