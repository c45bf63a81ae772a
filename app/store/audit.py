"""The audit log: who changed what. Entries are only ever added."""

import getpass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.access_tables import AuditEntry
from app.store.readers import READER


def record(session: Session, action: str, what: str, **detail: Any) -> None:
    """Note, in the transaction that makes the change, that whoever acts now made it."""
    session.add(AuditEntry(who=_who(), action=action, what=what[:500], detail=detail))


def recent(session: Session, limit: int) -> list[AuditEntry]:
    """The last changes, newest first."""
    newest = select(AuditEntry).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    return list(session.scalars(newest.limit(limit)))


def _who() -> str:
    reader = READER.get()
    if reader is not None:
        return reader.name or f"somebody at {reader.address or 'an unknown address'}"
    try:
        return f"{getpass.getuser()} by command"
    except (KeyError, OSError):  # a container's user without a name
        return "a command"
