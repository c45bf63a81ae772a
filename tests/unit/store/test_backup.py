"""What the handbook says of going back to a backup, done to the letter: the database is what it was, and nothing later."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.store.engine import open_store
from tests.support.seeded import fill

OPERATE = Path(__file__).parents[3] / "docs" / "operate.md"


def told(word: str, home: Path, backup: Path) -> str:
    """The handbook's line for SQLite's shell, its paths ours: what the shell is asked to do."""
    (line,) = re.findall(
        rf'^sqlite3 "\$STARTRAIL_HOME/startrail\.db" "(\.{word} .+)"$', OPERATE.read_text(), re.M
    )
    return line.replace("/backup/startrail.db", str(backup))


@pytest.mark.slow
def test_a_restore_over_a_database_whose_process_died_holds_no_later_change(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    """A file put in its place kept its old companion `-wal`, from which SQLite brought 2,532 later changes back."""
    database, backup = tmp_path / "startrail.db", tmp_path / "backup.db"
    database.write_bytes(migrated_sqlite.read_bytes())
    store = open_store(f"sqlite:///{database}")
    with store.session() as session:
        fill(session)
    store.engine.dispose()
    subprocess.run(["sqlite3", database, told("backup", tmp_path, backup)], check=True)
    dying = (
        "import os; from sqlalchemy import text; from app.store.engine import open_store\n"
        f"with open_store('sqlite:///{database}').session() as session:\n"
        "    session.execute(text(\"update passages set text = text || ' changed since'\"))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", dying], env=os.environ, check=False)
    assert database.with_name("startrail.db-wal").stat().st_size, "it died before it tidied up"
    subprocess.run(["sqlite3", database, told("restore", tmp_path, backup)], check=True)
    with closing(sqlite3.connect(database)) as restored:
        query = "select count(*), sum(text like '% changed since') from passages"
        ((passages, changed),) = restored.execute(query).fetchall()
    assert passages
    assert not changed
