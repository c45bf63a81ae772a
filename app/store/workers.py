"""Questions about the tracing processes: which are there, and what they have loaded."""

import os
import secrets
import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.store.tables import Worker, now

HEARTBEAT = 4.0  # seconds between two signs of life
FRESH = timedelta(seconds=15)  # without a sign of life for so long, a worker counts as dead


def new_name() -> str:
    """A name that tells host and process: `HOST/PID/random`."""
    return f"{socket.gethostname()[:50]}/{os.getpid()}/{secrets.token_hex(4)}"


def beat(
    session: Session, name: str, *, device: str, status: str, detail: str, loaded: dict[str, Any]
) -> None:
    """Say that this worker lives, and what state it is in (`loading`, `ready`, `failed`)."""
    row = session.get(Worker, name) or Worker(id=name)
    row.device, row.status, row.detail, row.loaded, row.seen_at = device, status, detail, loaded, now()
    session.add(row)


def leave(session: Session, name: str) -> None:
    """The worker stops in good order."""
    session.execute(delete(Worker).where(Worker.id == name))


def alive(session: Session) -> list[Worker]:
    """Workers that gave a sign of life lately, ready ones first."""
    rows = session.scalars(select(Worker).where(Worker.seen_at > now() - FRESH))
    return sorted(rows, key=lambda worker: (worker.status != "ready", worker.id))


def dead_here(session: Session, mine: str) -> list[str]:
    """Workers of this host whose process is gone, so that their work need not wait for its lease to end.

    Their rows are removed, and so are those of other hosts silent for a day.
    """
    host, pid, _ = mine.split("/")
    dead = []
    for name in session.scalars(select(Worker.id).where(Worker.id.startswith(f"{host}/", autoescape=True))):
        other = name.split("/")[1]
        # The same number with another name is this process's predecessor in a container.
        if name != mine and (other == pid or not _runs(int(other))):
            dead.append(name)
    session.execute(delete(Worker).where(Worker.id.in_(dead) | (Worker.seen_at < now() - timedelta(days=1))))
    return dead


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
