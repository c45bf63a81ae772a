"""What is made once for a whole run of the tests, whichever worker asks first; the others wait for it and read."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = "STARTRAIL_TESTS_RUN"  # the run's directory; workers are given it by the process that started them


def begin(config: pytest.Config) -> None:
    """Make the run's directory, in the process that the run begins with."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = tempfile.mkdtemp(prefix="startrail-tests-")


def end(config: pytest.Config) -> None:
    """Remove it where it was made."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(RUN), ignore_errors=True)


def once(name: str, make: Callable[[Path], object]) -> Path:
    """The directory that `make` has filled. Nobody writes to it afterwards: copy what a test changes."""
    place = Path(os.environ[RUN]) / name
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = place.with_suffix(".made")
        if not made.exists():
            shutil.rmtree(place, ignore_errors=True)  # of one that failed
            place.mkdir()
            make(place)
            made.touch()
    return place
