"""What must be right for a site to do its work, looked at one by one; for `/readyz` and `startrail doctor`."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.errors import UserError
from app.settings import Settings, is_loopback
from app.store.base import now
from app.store.engine import Store, check_version
from app.store.job_kinds import TRACING
from app.store.models import find_checkpoint
from app.store.readers import EVERYTHING
from app.store.standing_work import counts
from app.store.tables import Corpus, Model
from app.store.work_tables import Job
from app.store.workers import alive
from app.trackstar.manifest import IndexManifest
from app.trackstar.rows import open_rows

LEAST_FREE = 200 << 20  # bytes
LARGE_LOG = 1 << 30  # bytes of a write-ahead log that nobody wrote back


@dataclass(frozen=True)
class Finding:
    """One thing that must be right, and what to do where it is not. `inside` may name paths and hosts."""

    name: str
    ok: bool
    inside: str
    remedy: str = ""


def of_database(store: Store) -> Finding:
    """It can be reached, and its tables are this version's."""
    try:
        check_version(store.engine)
    except UserError as error:
        return Finding("database", False, str(error), error.remedy)
    except SQLAlchemyError as error:
        return Finding("database", False, f"It cannot be used: {type(error).__name__}.", "See the log.")
    return Finding("database", True, store.engine.dialect.name)


def of_home(settings: Settings) -> Finding:
    """It can be written to, and has room."""
    home = settings.home
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        return Finding(
            "home", False, f"{home} cannot be written to.", "Give it to the user that Startrail runs as."
        )
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE:
        return Finding("home", False, f"{home} has {free >> 20} MB left.", "Make room, or move it.")
    return Finding("home", True, f"{home}, {free >> 30:,} GB free")


def of_models(session: Session, settings: Settings) -> Iterator[Finding]:
    """Every model with a path has its weights there, or in the home directory it may have moved with."""
    for model in session.scalars(select(Model).where(Model.path.is_not(None)).order_by(Model.name)):
        place = find_checkpoint(model, settings.models)
        missing = f"No weights at {model.path}; put the checkpoint back or build it again."
        yield Finding(f"model {model.name}", place is not None, str(place or missing))


def of_indexes(session: Session, settings: Settings) -> Iterator[Finding]:
    """Every index has a manifest and shards that the worker would open, and was built from the corpus of its name.

    Those of corpora that the session's reader may not know of are left out.
    """
    shown = set(session.scalars(select(Corpus.name)))
    for path in sorted(each.parent for each in settings.indexes.glob("*/manifest.json")):
        try:
            manifest = IndexManifest.read(path)
            if manifest.corpus.name in shown or _unknown_to_all(session, manifest):
                open_rows(path, manifest)
                yield Finding(f"index {path.name}", True, str(path))
        except UserError as error:
            yield Finding(f"index {path.name}", False, str(error), error.remedy)


def _unknown_to_all(session: Session, manifest: IndexManifest) -> bool:
    """No corpus has this name, hidden or not: then there is nothing to hide."""
    names = Corpus.__table__.c.name
    return session.connection().execute(select(names).where(names == manifest.corpus.name)).first() is None


def of_workers(session: Session) -> Finding:
    """A worker is ready, and what waits is being done."""
    workers = alive(session)
    if not workers:
        return Finding("worker", False, "No tracing worker runs; start one with `startrail worker`.")
    first = workers[0]
    if first.status != "ready":
        said = f"{first.id} is {first.status}{': ' if first.detail else '.'}{first.detail}"
        return Finding("worker", False, said)
    late = select(func.count()).where(Job.state == "running", Job.kind.in_(TRACING), Job.lease_until < now())
    if stuck := session.scalar(late, execution_options=EVERYTHING):
        return Finding(
            "worker", False, f"{stuck} questions make no progress.", "Another worker takes them soon."
        )
    return Finding("worker", True, f"{first.id} on {first.device}")


def of_queue(session: Session, settings: Settings) -> Finding:
    """There is room for a question."""
    waiting = counts(session).get(("trace", "queued"), 0)
    said = f"{waiting} of {settings.trace_queue_limit} questions wait."
    return Finding("queue", waiting < settings.trace_queue_limit, said, "Start another worker.")


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What is set fits together and is safe where strangers come."""
    beyond = not is_loopback(settings.host) or bool(settings.base_url)
    if beyond and settings.access == "open":
        yield Finding(
            "access",
            False,
            "Everybody who reaches this site may ask and load files.",
            "Set STARTRAIL_ACCESS=read.",
        )
    if settings.signin_header and "*" in settings.allowed_hosts:
        yield Finding(
            "hosts", False, "Any name is allowed (*).", "List the site's names in STARTRAIL_ALLOWED_HOSTS."
        )
    if settings.base_url and not settings.base_url.startswith("https://"):
        yield Finding("base_url", False, f"{settings.base_url} is not https.", "Tokens and cookies need TLS.")


def of_log(settings: Settings) -> Finding | None:
    """SQLite's write-ahead log is written back: one that only grows has a reader that never ends."""
    log = Path(f"{settings.home / 'startrail.db'}-wal")
    if settings.database_url or not log.is_file() or log.stat().st_size < LARGE_LOG:
        return None
    size = log.stat().st_size >> 20
    return Finding("write-ahead log", False, f"{log} has {size:,} MB.", "Restart the site and its workers.")


def all_of(store: Store, settings: Settings) -> list[Finding]:
    """Everything, in the order in which it can be mended."""
    found = [of_home(settings), of_database(store), *of_settings(settings)]
    if (log := of_log(settings)) is not None:
        found.append(log)
    if found[1].ok:
        with store.session() as session:
            found += [*of_models(session, settings), *of_indexes(session, settings)]
            found += [of_workers(session), of_queue(session, settings)]
    return found
