"""Whether something runs on a home: every server and worker holds a lock that its death gives back."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import UserError

_FILE = ".running"


@contextmanager
def at_work(home: Path) -> Iterator[None]:
    """Hold the home as one of those that work on it. Where no file can be made, as on a read-only disk, nothing is held."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / _FILE).open("a")
    except OSError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the home with nobody else on it.

    Raises:
        UserError: a server or worker of this machine runs on it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / _FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                "A server or worker is running on this home.",
                file=home,
                remedy="Stop it first, then restore.",
            ) from None
        yield
