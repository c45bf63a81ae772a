"""A site as a directory or one file, taken while it runs, and brought back where nothing runs.

`backup.json` says what is in it; beside it lie the database and the models, indexes and presets of the home. Those never
change once they are complete, so that they may be copied after the database; what lies behind a link is copied itself.
"""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import select

from app.errors import UserError
from app.files import PARTIAL, whole, write_json
from app.settings import Settings
from app.store.engine import known_version, open_store, version_of
from app.store.models import find_checkpoint
from app.store.tables import Model
from app.upkeep import database
from app.upkeep.running import alone

FORMAT = 1
NOTE = "backup.json"
FOLDERS = ("models", "indexes", "presets")
TAR = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Contents:
    """What a backup holds: when it was made, of which database, and names of folders."""

    made: str
    database: str
    version: str
    folders: dict[str, list[str]]


def back_up(settings: Settings, to: Path) -> Contents:
    """Write a backup: a file where the name ends with .tar, .tar.gz or .tgz, else a directory. It appears when it is whole.

    Raises:
        UserError: something is there already, the database cannot be read, or the disk is full.
    """
    if to.exists():
        raise UserError("Something is there already.", file=to, remedy="Name a new file or directory.")
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole(to) as partial:
            if not to.name.endswith(TAR):
                partial.mkdir()
                return _fill(settings, partial)
            with tempfile.TemporaryDirectory(
                dir=to.parent, prefix=f".{to.name}.", suffix=PARTIAL
            ) as gathered:
                made = _fill(settings, Path(gathered))
                with tarfile.open(partial, "w:gz" if to.name.endswith("gz") else "w") as tar:
                    for each in sorted(Path(gathered).iterdir()):
                        tar.add(each, each.name)
            return made
    except shutil.Error as error:
        (source, _, why), *_ = error.args[0]
        raise UserError(f"It cannot be copied into the backup: {why}.", file=source) from None
    except OSError as error:
        raise UserError(f"The backup cannot be written: {error.strerror}.", file=to) from None


def _fill(settings: Settings, directory: Path) -> Contents:
    found = {name: sorted((settings.home / name).glob("[!.]*")) for name in FOLDERS}
    _sound(path for paths in found.values() for path in paths)
    database.copy(settings.url, directory / database.name_of(settings.url))
    folders = {name: _copied(paths, directory / name) for name, paths in found.items()}
    elsewhere = [path for name, path in _registered(settings) if name not in folders["models"]]
    folders["models"] += _copied(elsewhere, directory / "models")
    made = Contents(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        database=database.name_of(settings.url),
        version=version_of(settings.url) or "",
        folders=folders,
    )
    write_json(directory / NOTE, {"format": FORMAT, "startrail": version("startrail"), **vars(made)})
    return made


def _registered(settings: Settings) -> list[tuple[str, Path]]:
    """Models that lie elsewhere than in the home."""
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        rows = session.scalars(select(Model).where(Model.path.is_not(None))).all()
    store.close()
    found = [(row.name, find_checkpoint(row, settings.models)) for row in rows]
    return [(name, path) for name, path in found if path is not None and "/" not in name]


def _sound(paths: Iterable[Path]) -> None:
    """Every link leads somewhere: a backup without a model's weights is none."""
    for path in paths:
        for each in (path, *path.rglob("*")):
            if each.is_symlink() and not each.exists():
                raise UserError(
                    f"This link leads to nothing: {each.readlink()}.",
                    file=each,
                    remedy="Bring back what it leads to, or remove it; then back up again.",
                )


def _copied(paths: Iterable[Path], to: Path) -> list[str]:
    names = []
    for path in paths:
        to.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, to / path.name, ignore=shutil.ignore_patterns(f"*{PARTIAL}"))
        else:
            shutil.copy2(path, to / path.name)
        names.append(path.name)
    return names


def restore(settings: Settings, source: Path) -> Contents:
    """Bring a backup back: the database is what it was, and the models and indexes of those names too; others stay.

    Raises:
        UserError: it is no backup, of another kind of database or a newer version, or the site is running.
    """
    with alone(settings.home), _opened(source) as directory:
        said = _read(directory, source)
        if said.database != database.name_of(settings.url):
            raise UserError(
                f"This is a backup of another kind of database ({said.database}).",
                file=source,
                remedy="Set STARTRAIL_DATABASE_URL to one of its kind.",
            )
        if said.version and not known_version(said.version):
            raise UserError(
                f"It was made by a newer Startrail (database version {said.version}).",
                file=source,
                remedy="Install that one first.",
            )
        database.bring_back(settings.url, directory / said.database)
        for folder in FOLDERS:
            for path in sorted((directory / folder).glob("[!.]*")):
                _put_back(path, settings.home / folder / path.name)
    return said


def _put_back(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.is_symlink():
        to.unlink()
    with whole(to) as partial:
        shutil.copytree(path, partial) if path.is_dir() else shutil.copy2(path, partial)


@contextmanager
def _opened(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise UserError("There is no backup here.", file=source, remedy="Name the file or directory.")
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=".restore.") as directory:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(directory, filter="data")  # nothing outside, no links out of it
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UserError(f"It cannot be read as a backup: {error}.", file=source) from None
        yield Path(directory)


def _read(directory: Path, source: Path) -> Contents:
    try:
        said = json.loads((directory / NOTE).read_text())
        return Contents(said["made"], said["database"], said["version"], said["folders"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"It has no {NOTE}, so it is no backup.", file=source, remedy="`startrail backup` makes one."
        ) from None
