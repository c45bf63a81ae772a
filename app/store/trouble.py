"""Trouble that passes: a database that is locked, away or full, or no memory, is to be waited through, not to fall over."""

import errno
import logging
import sqlite3
import threading
import time

import psycopg
from sqlalchemy.exc import DBAPIError, TimeoutError

# The states, and what they are called in the log.
TROUBLES = {
    "slow": "a slow database",
    "busy": "a busy database",
    "away": "a database that is away",
    "crowded": "no free connection to the database",
    "memory": "too little memory",
    "full": "a full disk",
    "read-only": "a database that cannot be written to",
}
WRITERS = {"full", "read-only"}  # states that only who writes meets, and sees the end of
CALM = 10.0  # seconds without trouble after which it is over, for whom others may still meet it
# What SQLite says -> the state.
_SQLITE = {
    "interrupted": "slow",
    "database is locked": "busy",
    "database table is locked": "busy",
    "database or disk is full": "full",
    "attempt to write a readonly database": "read-only",
    "unable to open database file": "away",
    "disk I/O error": "away",
    "out of memory": "memory",
}
# PostgreSQL's classes and codes of errors (its manual, appendix A) -> the state.
_POSTGRESQL = {
    "57014": "slow",
    "53100": "full",
    "25006": "read-only",
    "08": "away",
    "57P": "away",
    "53200": "memory",
    "53300": "crowded",
    "53": "busy",
    "40": "busy",
}
_SYSTEM = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.ENOMEM: "memory",
}


def is_trouble(error: BaseException) -> str:
    """What is the matter that will pass, of `TROUBLES`; nothing of what we do not know to."""
    if isinstance(error, TimeoutError):
        return "crowded"
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, DBAPIError):
        found = is_trouble(error.orig) if error.orig is not None else ""
        return found or ("away" if error.connection_invalidated else "")
    if isinstance(error, sqlite3.OperationalError):
        return next((state for said, state in _SQLITE.items() if said in str(error)), "")
    if isinstance(error, psycopg.Error):
        return _of_postgresql(error)
    return _SYSTEM.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def _of_postgresql(error: psycopg.Error) -> str:
    code = error.sqlstate or ""
    found = next((state for begins, state in _POSTGRESQL.items() if code.startswith(begins)), "")
    # Without a code it was not the server that spoke: the line to it is broken, or was never there.
    return found or ("away" if isinstance(error, psycopg.OperationalError) and not code else "")


class Told:
    """Says in the log when trouble begins and when it is over, not each time it is met."""

    def __init__(self, log: logging.Logger, who: str) -> None:
        self._log, self._who = log, who
        self._state, self._met = "", 0.0
        self._lock = threading.Lock()

    def trouble(self, error: BaseException) -> bool:
        """Whether it is trouble that passes; said once."""
        state = is_trouble(error)
        with self._lock:
            if state:
                self._met = time.monotonic()
            if state and state != self._state:
                self._log.warning("%s waits: %s (%s).", self._who, TROUBLES[state], _one_line(error))
                self._state = state
        return bool(state)

    def well(self, *, wrote: bool = True, calm: float = 0.0) -> None:
        """Something worked again.

        Args:
            wrote: something was saved; who only reads knows nothing of a full disk.
            calm: seconds without trouble before it is over, where some do what others cannot.
        """
        if self._state:
            with self._lock:
                sees = wrote or self._state not in WRITERS
                if self._state and sees and time.monotonic() - self._met >= calm:
                    self._log.warning("%s goes on after %s.", self._who, TROUBLES[self._state])
                    self._state = ""


def _one_line(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
