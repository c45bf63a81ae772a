"""A backup holds one moment of a running site, and brings back that moment and nothing later."""

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from typer.testing import CliRunner

from app.cli.main import app
from app.errors import UserError
from app.settings import Settings
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store, open_store
from app.store.tables import Corpus, Passage
from app.upkeep.backup import back_up, restore
from app.upkeep.running import at_work


@pytest.fixture
def settings(tmp_path: Path, store: Store, database_url: str) -> Settings:
    """A home with a database of its own, and a model behind a link."""
    home = tmp_path / "home"
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "model.safetensors").write_bytes(b"weights")
    (home / "models").mkdir(parents=True)
    (home / "models" / "linked").symlink_to(outside)
    (home / "indexes" / "demo").mkdir(parents=True)
    (home / "indexes" / "demo" / "manifest.json").write_text("{}")
    (home / "indexes" / ".half.partial").mkdir()
    add(store, "first")
    return Settings(home=home, database_url=database_url, _env_file=None)


def add(store: Store, name: str) -> None:
    with store.session() as session:
        add_corpus(session, name, [PassageRecord(str(n), f"{name} {n}") for n in range(50)])


@pytest.mark.parametrize("name", ["kept", "kept.tar.gz"])
def test_there_and_back(settings: Settings, store: Store, tmp_path: Path, name: str) -> None:
    made = back_up(settings, tmp_path / name)
    assert made.folders == {"models": ["linked"], "indexes": ["demo"], "presets": []}
    add(store, "later")
    (settings.home / "indexes" / "demo" / "manifest.json").write_text("broken")
    store.engine.dispose()
    restore(settings, tmp_path / name)
    with open_store(settings.url) as store, store.session() as session:
        assert session.scalars(select(Corpus.name)).all() == ["first"]
    assert (settings.home / "indexes" / "demo" / "manifest.json").read_text() == "{}"
    linked = settings.home / "models" / "linked"
    assert not linked.is_symlink()
    assert (linked / "model.safetensors").read_bytes() == b"weights"
    assert not list(settings.home.rglob("*.partial")) or list(settings.home.rglob("*.partial")) == [
        settings.home / "indexes" / ".half.partial"
    ]


def test_it_holds_one_moment_while_others_write(settings: Settings, store: Store, tmp_path: Path) -> None:
    """Corpora come in one transaction each: a backup has all passages of one or none."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set() and number < 200:
            add(store, f"while {number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(settings, tmp_path / "kept")
    finally:
        stop.set()
        writer.join()
    store.engine.dispose()
    restore(settings, tmp_path / "kept")
    opened = open_store(settings.url)
    with opened.session() as session:
        counts = session.scalars(
            select(func.count(Passage.id)).select_from(Corpus).outerjoin(Passage).group_by(Corpus.id)
        ).all()
    opened.engine.dispose()
    assert set(counts) == {50}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_log_that_a_dead_process_left_brings_nothing_back(
    settings: Settings, store: Store, tmp_path: Path, database_url: str
) -> None:
    """The handbook's restore kept 2,532 later changes: SQLite found them in `-wal`."""
    back_up(settings, tmp_path / "kept")
    store.engine.dispose()
    dying = (
        "import os; from sqlalchemy import text; from app.store.engine import open_store\n"
        f"with open_store({database_url!r}).session() as session:\n"
        "    session.execute(text(\"update passages set text = text || ' changed since'\"))\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", dying], check=False)
    file = Path(database_url.removeprefix("sqlite:///"))
    assert file.with_name(f"{file.name}-wal").stat().st_size
    restore(settings, tmp_path / "kept")
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("select count(*) from passages where text like '%since'").fetchone() == (0,)


def test_a_running_site_is_not_restored(settings: Settings, store: Store, tmp_path: Path) -> None:
    """By the lock that every server and worker of this machine holds, and by who has the database open."""
    back_up(settings, tmp_path / "kept")
    store.engine.dispose()
    with at_work(settings.home), pytest.raises(UserError, match="running on this home"):
        restore(settings, tmp_path / "kept")
    with store.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(UserError, match="in use"):
            restore(settings, tmp_path / "kept")
    store.engine.dispose()
    restore(settings, tmp_path / "kept")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_brought_back_is_refused_before_anything_changes(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    back_up(settings, kept)
    with pytest.raises(UserError, match="already"):
        back_up(settings, kept)
    store.engine.dispose()
    note = json.loads((kept / "backup.json").read_text())
    for changed, said in [({"version": "9999"}, "newer"), ({"database": "postgresql.dump"}, "another kind")]:
        (kept / "backup.json").write_text(json.dumps(note | changed))
        with pytest.raises(UserError, match=said):
            restore(settings, kept)
    (kept / "backup.json").unlink()
    (tmp_path / "no.tar").write_bytes(b"no tar")
    for wrong in (kept, tmp_path / "no.tar", tmp_path / "nowhere"):
        with pytest.raises(UserError, match="backup"):
            restore(settings, wrong)
    add(store, "still here")
    store.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_doctor_names_what_is_wrong(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARTRAIL_HOME", str(settings.home))
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("STARTRAIL_BASE_URL", "http://lab.example")
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    for words in (
        "✓ home",
        "✓ database",
        "✗ index demo",
        "✗ worker",
        "startrail worker",
        "STARTRAIL_ACCESS=read",
        "not https",
    ):
        assert words in said.output, words


def test_the_doctor_makes_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in its name was a home without fault, and a database to migrate."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "hoem"))
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 2
    assert "There is no home" in said.output
    assert not (tmp_path / "hoem").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("broken", ["linked", "linked/model.safetensors"])
def test_a_link_that_leads_to_nothing_is_named(settings: Settings, tmp_path: Path, broken: str) -> None:
    """A backup without a model's weights is found to be one when it is needed."""
    link = settings.home / "models" / broken
    link.unlink()
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"leads to nothing: .*/gone") as refused:
        back_up(settings, tmp_path / "kept")
    assert str(refused.value.file) == str(link)
    assert {each.name for each in tmp_path.glob("*kept*")} == set()
