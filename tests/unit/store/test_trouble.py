"""Trouble is told by its kind, and the log says when it begins and when it is over."""

import errno
import logging
import sqlite3

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.store.trouble import TROUBLES, Told, is_trouble

KINDS = [
    (sqlite3.OperationalError("interrupted"), "slow"),
    (sqlite3.OperationalError("database is locked"), "busy"),
    (sqlite3.OperationalError("database or disk is full"), "full"),
    (sqlite3.OperationalError("attempt to write a readonly database"), "read-only"),
    (sqlite3.OperationalError("unable to open database file"), "away"),
    (sqlite3.OperationalError("no such table: runs"), ""),
    (errors.QueryCanceled(), "slow"),
    (errors.DiskFull(), "full"),
    (errors.ReadOnlySqlTransaction(), "read-only"),
    (errors.OutOfMemory(), "memory"),
    (errors.TooManyConnections(), "crowded"),
    (errors.AdminShutdown(), "away"),
    (errors.DeadlockDetected(), "busy"),
    (errors.UniqueViolation(), ""),
    (psycopg.OperationalError("connection refused"), "away"),
    (TimeoutError("QueuePool limit of size 5 overflow 10 reached"), "crowded"),
    (MemoryError(), "memory"),
    (OSError(errno.ENOSPC, "No space left on device"), "full"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
    (OSError(errno.EROFS, "Read-only file system"), "read-only"),
    (FileNotFoundError(errno.ENOENT, "No such file"), ""),
    (ValueError("wrong"), ""),
]


@pytest.mark.parametrize(("error", "state"), KINDS)
def test_every_kind_is_known(error: Exception, state: str) -> None:
    assert is_trouble(error) == state
    if isinstance(error, sqlite3.Error | psycopg.Error):
        assert is_trouble(DBAPIError("SELECT 1", {}, error)) == state
    assert state in {"", *TROUBLES}


def test_a_full_disk_is_said_once_and_is_over_for_who_writes(caplog: pytest.LogCaptureFixture) -> None:
    """Pages that are read all the while say nothing of it, and one write that finds room does not end it."""
    told = Told(logging.getLogger("told"), "The site")
    full = sqlite3.OperationalError("database or disk is full")
    for _ in range(3):
        assert told.trouble(full)
        told.well(wrote=False)
        told.well(calm=60)
    assert not told.trouble(ValueError("no trouble"))
    told.well()
    told.well()
    assert [each.getMessage() for each in caplog.records] == [
        "The site waits: a full disk (database or disk is full).",
        "The site goes on after a full disk.",
    ]
