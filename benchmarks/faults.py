"""Faults that come without notice, again and again, while people ask: nothing accepted is lost, nothing half-written shows.

    python benchmarks/faults.py --home HOME --kills 20 --locked 60

copies the home (the demo's, say, on SQLite), serves it with its worker, and while questions and pages are asked all the time:
kills the server, then the worker, with SIGKILL; stops a worker without killing it; holds the database locked; kills an
importer; and lets two servers and four workers share the home. Reaches: every answer 200, 202 or 503; every question that was
accepted is answered, all within 30 s after the last fault; an import that was killed leaves no row.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
from _report import Check, finish

GOOD = {"200", "202", "503"}
PAGES = ("/", "/runs", "/prompts")
STARTS = 120  # seconds that a server may take on a busy machine


class Site:
    """`startrail serve` on a home: started, killed, started again at the same address."""

    def __init__(self, home: Path, *, worker: bool = True) -> None:
        self.home, self.worker = home, worker
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Until it answers."""
        command = [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port)]
        command += [] if self.worker else ["--no-worker"]
        self.process = subprocess.Popen(command, env=environment(self.home), stdout=subprocess.DEVNULL)
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
        return [int(child) for file in tasks for child in file.read_text().split()]

    def kill(self) -> None:
        """As a machine that runs out of memory does; the worker is left to see that it is alone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As an operator does."""
        self.process.terminate()
        self.process.wait(30)


class People:
    """Who reads and asks all the time, and what they were told."""

    def __init__(self, home: Path, *bases: str) -> None:
        self.database, self.bases = home / "startrail.db", bases
        self.answers: Counter[str] = Counter()
        self.accepted: list[str] = []
        self._stop = threading.Event()

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
        number = 0
        while not self._stop.wait(0.3):
            base, number = random.choice(self.bases), number + 1
            try:
                with httpx.Client(base_url=base, timeout=40) as client:
                    question = {"prompt": f"Fault {time.time_ns()} is", "completion": " so", "k": 5}
                    asked = client.post("/api/v1/traces", json=question)
                    self.answers[str(asked.status_code)] += 1
                    if asked.status_code == 202:
                        self.accepted.append(asked.json()["id"])
                    self.answers[str(client.get(random.choice(PAGES)).status_code)] += 1
            except httpx.TransportError:
                self.answers["no server"] += 1  # it was killed: nothing was said, nothing accepted

    def lost(self) -> dict[str, str]:
        """What was accepted and is not answered, and the state that it is in instead."""
        with closing(sqlite3.connect(self.database)) as store:
            states = dict(store.execute("SELECT id, state FROM jobs"))
            kept = {row[0] for row in store.execute("SELECT id FROM traces")}
        states = {each: states.get(each, "gone") for each in self.accepted}
        return {each: state for each, state in states.items() if state != "done" or each not in kept}


def environment(home: Path) -> dict[str, str]:
    """A home's, with which no client is limited."""
    return {**os.environ, "STARTRAIL_HOME": str(home), "STARTRAIL_STEPS_PER_LANE": "0"}


def until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds waited.

    Raises:
        TimeoutError: it did not come to be.
    """
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + seconds:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.1)
    return time.monotonic() - began


def kill_servers(site: Site, kills: int) -> None:
    """The server itself, at any moment; its worker ends by itself."""
    for _ in range(kills):
        time.sleep(random.uniform(0.5, 3))
        site.kill()
        site.start()


def kill_workers(site: Site, kills: int) -> None:
    """The worker, at any moment after it was started."""
    for _ in range(kills):
        until(lambda: bool(site.workers()), STARTS, "a worker")
        time.sleep(random.uniform(0.5, 8))
        for worker in site.workers():
            os.kill(worker, signal.SIGKILL)


def stop_worker(site: Site) -> None:
    """A worker that hangs is replaced."""
    until(lambda: bool(site.workers()), STARTS, "a worker")
    time.sleep(10)
    (stopped, *_) = site.workers()
    os.kill(stopped, signal.SIGSTOP)
    until(
        lambda: stopped not in site.workers() and bool(site.workers()), 180, "the hung worker to be replaced"
    )


def lock(home: Path, seconds: float) -> None:
    """Somebody holds the one place for writers."""
    with closing(sqlite3.connect(home / "startrail.db", timeout=60, isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        store.execute("ROLLBACK")


def kill_importers(home: Path, kills: int) -> int:
    """An import at any moment of it; returns how many rows were left of those killed."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for number in range(20_000):
            record = {
                "inputs_plaintext": f"Killed {number} is",
                "targets_plaintext": "so",
                "proponents": [f"killed {number}"],
            }
            file.write(json.dumps(record) + "\n")
        file.flush()
        command = [sys.executable, "-m", "app.cli", "import", file.name, "--run", "killed"]
        for _ in range(kills):
            importing = subprocess.Popen(
                command, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(random.uniform(1.5, 6))
            importing.kill()
            importing.wait()
    with closing(sqlite3.connect(home / "startrail.db")) as store:
        whole = store.execute(
            "SELECT count(*) FROM runs WHERE name = 'killed' AND prompt_count = 20000"
        ).fetchone()[0]
        some = store.execute("SELECT count(*) FROM passages WHERE text LIKE 'killed %'").fetchone()[0]
        return some - 20_000 * whole


def share(home: Path, seconds: float, people: People, stack: ExitStack) -> None:
    """Two servers with a worker each, and two workers more, all on one home."""
    second = Site(home)
    stack.callback(second.stop)
    people.bases = (*people.bases, second.base)
    for _ in range(2):
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker", "--threads", "1"], env=environment(home)
        )
        stack.callback(worker.wait, 30)
        stack.callback(worker.terminate)
    time.sleep(seconds)


def main() -> None:
    """Serve, break, look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20, help="of server, worker and importer each")
    parser.add_argument("--locked", type=float, default=60, help="seconds")
    parser.add_argument("--shared", type=float, default=60, help="seconds with two servers and four workers")
    parser.add_argument(
        "--patience", type=float, default=300, help="seconds until what is not answered is lost"
    )
    asked = parser.parse_args()
    checks: list[Check] = []
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        home = Path(shutil.copytree(asked.home, Path(place) / "home"))
        site = Site(home)
        stack.callback(lambda: site.stop())
        people = People(home, site.base)
        faults: dict[str, Callable[[], object]] = {
            "server killed": lambda: kill_servers(site, asked.kills),
            "worker killed": lambda: kill_workers(site, asked.kills),
            "worker stopped": lambda: stop_worker(site),
            "database locked": lambda: lock(home, asked.locked),
            "importer killed": lambda: left.append(kill_importers(home, asked.kills)),
            "two servers, four workers": lambda: share(home, asked.shared, people, stack),
        }
        left: list[int] = []
        for name, fault in faults.items():
            people.answers.clear()
            with people.at_it():
                fault()
            try:
                waited = until(lambda: not people.lost(), asked.patience, f"questions after: {name}")
            except TimeoutError:
                print(f"{name}: {people.answers}, without an answer: {people.lost()}", flush=True)
                raise
            bad = sum(count for said, count in people.answers.items() if said not in GOOD | {"no server"})
            print(
                f"{name}: {dict(people.answers)}, {len(people.accepted)} accepted so far, well after {waited:.1f} s",
                flush=True,
            )
            checks.append(Check(f"{name}: other answers", bad, "answers", 0, at_most=True))
            checks.append(Check(f"{name}: well after", waited, "s", 30, at_most=True))
        checks.append(Check("rows left of killed imports", sum(left), "rows", 0, at_most=True))
    finish("faults", checks)


if __name__ == "__main__":
    main()
