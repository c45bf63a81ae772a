"""A site to break, and who reads and asks there meanwhile; see `faults`."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

import httpx
from sqlalchemy import select, text

from app.store.engine import Store, make_engine, migrate
from app.store.schema import METADATA
from app.store.work_tables import Job, Trace

GOOD = {"200", "202", "503"}
PAGES = ("/", "/runs", "/prompts")
NOTHING: Mapping[str, str] = MappingProxyType({})
STARTS = 180  # seconds that a server or worker may take on a busy machine


def environment(home: Path, url: str, more: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """A home's, with which no client is limited."""
    return {
        **os.environ,
        "STARTRAIL_HOME": str(home),
        "STARTRAIL_DATABASE_URL": url,
        "STARTRAIL_STEPS_PER_LANE": "0",
        **more,
    }


def until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds waited.

    Raises:
        TimeoutError: it did not come to be.
    """
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.3)
    return time.monotonic() - began


class Site:
    """`startrail serve` on a home: started, killed, started again at the same address."""

    def __init__(
        self,
        home: Path,
        url: str,
        log: IO[bytes],
        more: Mapping[str, str] = NOTHING,
        before: Sequence[str] = (),
    ) -> None:
        self.environment, self.log, self.before = environment(home, url, more), log, before
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Until it answers."""
        command = [*self.before, sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log)
        until(self.answers, STARTS, "the server to start")

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            return httpx.get(f"{self.base}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def workers(self) -> list[int]:
        """Processes that it started."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        with suppress(FileNotFoundError):  # a thread that ended while we looked
            return [int(child) for file in tasks for child in file.read_text().split()]
        return []

    def ready(self) -> bool:
        """Whether its worker has loaded."""
        with suppress(httpx.HTTPError):
            said = httpx.get(f"{self.base}/readyz.json", timeout=10).json()
            return any(each["name"] == "worker" and each["ok"] for each in said["checks"])
        return False

    def kill(self) -> None:
        """As a machine that runs out of memory does; the worker is left to see that it is alone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As an operator does."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class People:
    """Who reads and asks all the time, and what they were told."""

    bases: list[str]
    store: Store
    answers: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_it(self) -> Iterator[None]:
        """For as long as the block lasts; afterwards everything accepted must be answered."""
        self._stop.clear()
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(60)

    def _ask(self) -> None:
        while not self._stop.wait(0.5):
            try:
                with httpx.Client(base_url=random.choice(self.bases), timeout=60) as client:
                    question = {"prompt": f"Fault {time.time_ns()} is", "completion": " so", "k": 5}
                    asked = self._note(client.post("/api/v1/traces", json=question))
                    if asked.status_code == 202:
                        self.accepted.append(asked.json()["id"])
                    self._note(client.get(random.choice(PAGES)))
            except httpx.TransportError:
                self.answers["no server"] += 1  # it was killed: nothing was said, nothing accepted

    def _note(self, answer: httpx.Response) -> httpx.Response:
        said = str(answer.status_code)
        self.answers[said] += 1
        if said not in GOOD:
            self.odd.append(f"{said} {answer.request.url.path}: {answer.text[:200]}")
        return answer

    def lost(self) -> dict[str, str]:
        """What was accepted and is not answered, and the state that it is in instead."""
        with self.store.session() as session:
            states = dict(session.execute(select(Job.id, Job.state)).tuples().all())
            kept = set(session.scalars(select(Trace.id)))
        known = {each: states.get(each, "gone") for each in self.accepted}
        return {each: state for each, state in known.items() if state != "done" or each not in kept}


@dataclass
class Field:
    """A home that is served and asked, and what ends with it."""

    home: Path
    url: str
    log: Path
    stack: ExitStack
    site: Site
    people: People

    @property
    def sqlite(self) -> bool:
        """On which of the two databases."""
        return self.url.startswith("sqlite")

    def command(self, *words: str) -> "subprocess.Popen[bytes]":
        """`startrail …` on this home."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "app.cli", *words]
            return subprocess.Popen(command, env=environment(self.home, self.url), stdout=log, stderr=log)


@contextmanager
def served(
    home: Path, url: str, log: Path, more: Mapping[str, str] = NOTHING, before: Sequence[str] = ()
) -> Iterator[Field]:
    """The home at `home`, with a site and its worker, for as long as the block lasts."""
    with ExitStack() as stack:
        store = Store(make_engine(url))
        stack.callback(store.engine.dispose)
        site = Site(home, url, stack.enter_context(log.open("ab")), more, before)
        stack.callback(lambda: site.stop())
        yield Field(home, url, log, stack, site, People([site.base], store))


def copied(home: Path, place: Path) -> Path:
    """A copy that may be broken; its database is where SQLite has it, and this version's."""
    copy = Path(shutil.copytree(home, place / "home"))
    migrate(f"sqlite:///{copy / 'startrail.db'}")
    return copy


def moved_over(home: Path, url: str) -> None:
    """All rows of the home's SQLite file in the database at `url`, which has no rows."""
    source, target = make_engine(f"sqlite:///{home / 'startrail.db'}"), make_engine(url)
    with source.connect() as rows, target.begin() as there:
        there.execute(text("SET session_replication_role = replica"))  # runs name runs that come later
        for table in METADATA.sorted_tables:
            some = [dict(row) for row in rows.execute(select(table)).mappings()]
            if some:
                there.execute(table.insert(), some)
            if "id" in table.c and table.c.id.type.python_type is int:
                name = f"pg_get_serial_sequence('{table.name}', 'id')"
                there.execute(text(f"SELECT setval({name}, (SELECT coalesce(max(id), 1) FROM {table.name}))"))
    source.dispose()
    target.dispose()


def stop(process: int) -> None:
    """SIGKILL, if it is there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def written(records: list[dict], file: Path) -> Path:
    """JSON Lines."""
    file.write_text("".join(json.dumps(each) + "\n" for each in records))
    return file
