"""Watch traces for many readers at once: one thread and one query per change, however many look on.

A reader's stream is a coroutine that sleeps on an event; nothing is held open for it in the store.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing

import anyio

from app.store import jobs
from app.store.commits import CommitListener
from app.store.engine import Store
from app.store.trouble import Told

log = logging.getLogger(__name__)
told = Told(log, "Watching traces")

State = tuple[str, str, int]  # status, stage with attempt, place in the queue
CALM = 0.05  # seconds between two looks: under load one look then serves several commits
PLACES = 2.0  # seconds between two messages that only tell a new place in the queue
LOOK_AROUND = 0.25  # seconds after which the watching thread looks whether anybody still reads


class Watch:
    """What one reader waits for."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.states: list[State | None] = []
        self.told = 0.0

    async def wait(self, seconds: float) -> bool:
        """Sleep until one of the traces changed; False if the time is up first."""
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except TimeoutError:
            return False
        self.changed.clear()
        return True

    def show(self, found: Mapping[str, State]) -> None:
        """Called by the watching thread."""
        states, now = [found.get(id_) for id_ in self.ids], time.monotonic()
        moved = _stages(states) == _stages(self.states)
        if states != self.states and not (moved and now - self.told < PLACES):
            self.states, self.told = states, now
            self.loop.call_soon_threadsafe(self.changed.set)


def _stages(states: Sequence[State | None]) -> list[tuple[str, str] | None]:
    return [state and state[:2] for state in states]


class Live:
    """The readers of one web process. The thread runs only while there are any."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        # Questions and streams are served one after the other: pages come first.
        self.turn = anyio.CapacityLimiter(1)
        self._thread: threading.Thread | None = None

    @asynccontextmanager
    async def watch(self, *ids: str) -> AsyncIterator[Watch]:
        """Hear of every change of some traces; the first `wait` returns at once."""
        watch = Watch(ids)
        with self._lock:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        watch.changed.set()
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.discard(watch)

    def close(self) -> None:
        """Let the thread end, and wait for it: a connection that it has out would outlive the store's."""
        with self._lock:
            self._watches.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            try:
                with closing(CommitListener(self._store.engine)) as changes:
                    while True:
                        self._tell()
                        told.well()
                        time.sleep(CALM)
                        changes.wait(LOOK_AROUND)
                        if self._nobody_reads():
                            return
            except Exception as error:  # the database went away for a moment: streams go on when it is back
                if not told.trouble(error):
                    log.exception("Watching traces")
                time.sleep(LOOK_AROUND)
                if self._nobody_reads():
                    return

    def _nobody_reads(self) -> bool:
        """Then the thread ends, and the next reader starts another."""
        with self._lock:
            if not self._watches:
                self._thread = None
            return not self._watches

    def _tell(self) -> None:
        with self._lock:
            watches = list(self._watches)
        with self._store.session() as session:
            found = jobs.states(session, sorted({id_ for watch in watches for id_ in watch.ids}))
        for watch in watches:
            watch.show(found)
