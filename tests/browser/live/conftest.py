"""As `startrail serve` runs it: the server here, the worker beside it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.settings import Settings
from app.store import workers
from app.store.engine import Store, open_store
from tests.support.asking import made_home, settings_of
from tests.support.live_site import Site


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Settings], AbstractContextManager[str]]
) -> Iterator[Site]:
    """As `startrail serve` runs it: the server here, the worker beside it."""
    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(made_home(), home)
    settings = settings_of(home)
    environment = {**os.environ, "STARTRAIL_HOME": str(home), "STARTRAIL_DEVICE": "cpu"}
    environment["STARTRAIL_STEPS_PER_LANE"] = str(settings.steps_per_lane)  # steps are taken when asked for
    environment.pop("STARTRAIL_DATABASE_URL", None)
    said = home / "worker.log"
    with said.open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker", "--threads", "1"],
            env=environment,
            stderr=log,
            cwd=Path(__file__).parents[3],
        )
    store = open_store(settings.url)
    try:
        with serve(settings) as address:
            until(lambda: is_ready(store) or worker.poll() is not None, "the worker to load")
            assert worker.poll() is None, said.read_text()
            yield Site(address, worker)
    finally:
        worker.terminate()
        worker.wait(60)  # it runs behind everything else
        store.engine.dispose()


def is_ready(store: Store) -> bool:
    with store.session() as session:
        return any(each.status == "ready" for each in workers.alive(session))


def until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 180  # torch alone takes a minute from a cold disk
    while not true():
        assert time.monotonic() < ends, f"waited for {what}"
        time.sleep(0.05)
