"""Questions about the tracing processes: which are there, and what they have loaded."""

import os
import secrets
import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.store.base import now
from app.store.work_tables import Job, WorkerRow

HEARTBEAT = 4.0  # seconds between two signs of life
FRESH = timedelta(seconds=15)  # without a sign of life for so long, a worker is not counted on
SILENT = timedelta(seconds=30)  # and of another host for so long, it counts as dead
_own: set[str] = set()  # the names that this process goes by


def new_name() -> str:
    """A name that tells host and process: `HOST/PID/random`."""
    name = f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"
    _own.add(name)
    return name


def record_heartbeat(
    session: Session, name: str, *, device: str, status: str, detail: str, loaded: dict[str, Any]
) -> None:
    """Say that this worker lives, and what state it is in (`loading`, `ready`, `failed`)."""
    row = session.get(WorkerRow, name) or WorkerRow(id=name)
    row.device, row.status, row.detail, row.loaded, row.seen_at = device, status, detail, loaded, now()
    session.add(row)


def leave(session: Session, name: str) -> None:
    """The worker stops in good order."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == name))


def alive(session: Session) -> list[WorkerRow]:
    """Workers that gave a sign of life lately, ready ones first."""
    rows = session.scalars(select(WorkerRow).where(WorkerRow.seen_at > now() - FRESH))
    return sorted(rows, key=lambda worker: (worker.status != "ready", worker.id))


def dead(session: Session, mine: str) -> list[str]:
    """Workers that are gone, so that their work need not wait for its lease to end: those of this host whose process
    is no more, listed or not, and those of other hosts that give no sign of life.

    The rows of the first are removed, and so are those of others silent for a day.
    """
    here = mine.split("/")[0] + "/"
    holding = select(Job.worker).where(Job.state.in_(("queued", "running")), Job.worker.is_not(None))
    names = {*session.scalars(select(WorkerRow.id)), *session.scalars(holding.distinct())}
    gone = [name for name in names if name is not None and is_gone(name)]
    silent = select(WorkerRow.id).where(
        WorkerRow.seen_at < now() - SILENT, ~WorkerRow.id.startswith(here, autoescape=True)
    )
    elsewhere = list(session.scalars(silent))
    session.execute(
        delete(WorkerRow).where(WorkerRow.id.in_(gone) | (WorkerRow.seen_at < now() - timedelta(days=1)))
    )
    return gone + elsewhere


def is_gone(name: str) -> bool:
    """Whether the worker was a process of this host that is no more. False of other hosts' workers: who knows."""
    host, pid, _ = name.split("/")
    if name in _own or host != _host():
        return False
    if int(pid) == os.getpid():
        return True  # the same number under another name: this process's predecessor in a container
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    return socket.gethostname()[:50]
