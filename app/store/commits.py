"""Learn at once that something in the store changed, without asking it over and over.

SQLite counts the commits of other connections in a number that costs microseconds to read; PostgreSQL sends a
notice. The worker waits here for questions, and the web server for what became of them.
"""

import time
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

CHANNEL = "startrail"
SQLITE_PAUSE = 0.004  # seconds between two looks; a look takes about 5 µs


def announce(session: Session) -> None:
    """Wake who waits, once this transaction is committed. SQLite needs no telling."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"NOTIFY {CHANNEL}"))


class CommitListener:
    """One connection that waits for commits. Not shared between threads."""

    def __init__(self, engine: Engine) -> None:
        self._postgresql = engine.dialect.name == "postgresql"
        self._connection = engine.raw_connection()
        driver: Any = self._connection.driver_connection
        self._driver = driver
        if self._postgresql:
            self._driver.autocommit = True
            self._driver.execute(f"LISTEN {CHANNEL}")
        else:
            self._seen = self._version()

    def wait(self, seconds: float) -> bool:
        """Block until something was committed since the last call, or the time is up.

        Returns:
            True if something was committed (on SQLite anything at all, by another connection).
        """
        if self._postgresql:
            # stop_after returns with the first batch; what else came with it is taken too.
            return any(True for _ in list(self._driver.notifies(timeout=seconds, stop_after=1)))
        end = time.monotonic() + seconds
        while (version := self._version()) == self._seen:
            if time.monotonic() >= end:
                return False
            time.sleep(SQLITE_PAUSE)
        self._seen = version
        return True

    def _version(self) -> int:
        return int(self._driver.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Give up the connection; it does not go back to the pool, for it still listens."""
        self._connection.invalidate()
