"""The process that answers: takes what waits, a few questions at a time, and saves what comes out.

Knows no tensors; what it can do is behind `Engine`. A second thread gives signs of life, so that death is noticed
within seconds; only progress renews the lease of a job, so that a worker that hangs loses it too.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from app.errors import UserError
from app.store import arriving, leases, traces, workers
from app.store.commits import CommitListener
from app.store.engine import Store
from app.store.job_kinds import TRACING, TRAINING
from app.store.trouble import CALM, Told, is_trouble
from app.store.work_tables import Job
from app.tracing.clock import Clock

log = logging.getLogger(__name__)

BATCH = 16  # questions answered together
IDLE = 1.0  # seconds to wait for a change before looking around anyway
UNEXPECTED = "The tracing worker met an error that is not the question's: {}."
TOO_LARGE = (
    "There was not memory enough to answer this.",
    "Ask something shorter, or for fewer passages or samples.",
)


class Cancelled(Exception):
    """Nobody wants the answer any more."""


class Report(Protocol):
    """Says at which stage some jobs are; answers for each whether it is still wanted. Renews their leases."""

    def __call__(
        self, taken: Sequence[Job], stage: str, done: int = 0, total: int | None = None
    ) -> list[bool]:
        """`done` of `total` passages, tokens, … of this stage."""


Done = TypeVar("Done")
Outcome = dict[str, Any] | UserError | Cancelled


class Engine(Protocol):
    """What answers. Made by `app.tracing.trace_engine.TraceEngine`."""

    device: str

    def load(self) -> dict[str, Any]:
        """Load what is asked by default; returns what is in memory, for the `workers` table."""

    def follow(self, session: Session, job: Job) -> None:
        """Queue what is to be done after this answer; in the transaction that saves it."""

    def answer(self, jobs: Sequence[Job], report: Report) -> list[Outcome]:
        """One outcome per job, in order. Jobs answered together have the answers they would have alone."""


@dataclass
class Worker:
    """Takes questions from the store until stopped."""

    store: Store
    engine: Engine
    name: str = field(default_factory=workers.new_name)
    stopping: threading.Event = field(default_factory=threading.Event)
    status: str = "loading"
    detail: str = ""
    loaded: dict[str, Any] = field(default_factory=dict)
    hung: Callable[[], None] = field(default=lambda: None)  # called when it made no progress for too long
    beats: Callable[[], None] = field(default=lambda: None)  # called at each sign of life
    _heart: threading.Thread = field(init=False, repr=False)
    _told: Told = field(default_factory=lambda: Told(log, "The worker"), repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Load, then answer until `stopping` is set; what is still in hand then waits for another worker.

        Args:
            ready: called once everything is loaded.

        Raises:
            UserError: the default model or index cannot be loaded.
        """
        with self.opened():
            if ready:
                ready()
            while not self.stopping.is_set():
                try:
                    self._work()
                except Exception as error:
                    if not self._told.trouble(error):
                        raise
                    self.stopping.wait(IDLE)

    def _work(self) -> None:
        """Answer until stopped, or until the database is in trouble: what was in hand then is asked again."""
        with closing(CommitListener(self.store.engine)) as changes:
            with self.store.session() as session:
                leases.release(session, self.name)
            while not self.stopping.is_set():
                if not self.step():
                    changes.wait(IDLE)

    @contextmanager
    def opened(self) -> Iterator["Worker"]:
        """Loaded, and giving signs of life, while the block lasts.

        Raises:
            UserError: the default model or index cannot be loaded.
        """
        try:
            self.open()
            yield self
        finally:
            self.close()

    def open(self) -> None:
        """Take over from workers that died, give signs of life from now on, and load.

        Raises:
            UserError: the default model or index cannot be loaded.
        """
        self._patiently(self._recover)
        self._patiently(self._beat)
        self._heart = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        self._heart.start()
        threading.Thread(target=self._pulse, name="pulse", daemon=True).start()
        try:
            self.loaded = self._patiently(self.engine.load) or {}
        except UserError as error:
            self.status, self.detail = "failed", str(error)
            self._beat()
            raise
        self.status = "ready"
        self._patiently(self._beat)

    def _patiently(self, act: Callable[[], Done]) -> Done | None:
        """What `act` returns, once the database lets it; None where the worker is stopped before."""
        while not self.stopping.is_set():
            try:
                return act()
            except Exception as error:
                if not self._told.trouble(error):
                    raise
                self.stopping.wait(IDLE)
        return None

    def close(self) -> None:
        """Give back what is in hand and stop. A worker that failed stays listed, so that the site can say why."""
        self.stopping.set()
        self._heart.join()  # it waits for the database no longer than the database lets anybody wait
        try:
            with self.store.session() as session:
                leases.release(session, self.name)
                if self.status != "failed":
                    workers.leave(session, self.name)
        except Exception as error:  # what is in hand is asked again once its lease is over
            if not self._told.trouble(error):
                raise

    def step(self) -> int:
        """Take and answer what waits, `BATCH` questions at most or one training; returns how many were taken."""
        return self._take(TRACING, BATCH) or self._take(TRAINING, 1)

    def _take(self, kinds: Collection[str], limit: int) -> int:
        with self.store.session() as session:
            taken = leases.claim(session, self.name, limit, kinds)
        if taken:
            self._answer(taken)
        return len(taken)

    def _answer(self, taken: list[Job]) -> None:
        try:
            outcomes = self.engine.answer(taken, self._report)
        except Exception as error:
            if is_trouble(error) not in ("", "memory"):  # not the question's fault
                raise
            log.exception("While answering %s", ", ".join(job.id for job in taken))
            if len(taken) > 1:  # one of them is to blame: the others shall not suffer
                for job in taken:
                    self._answer([job])
                return
            outcomes = [_failed(error)]
        self._save(zip(taken, outcomes, strict=True))
        for job, outcome in zip(taken, outcomes, strict=True):
            said = type(outcome).__name__ if isinstance(outcome, Exception) else "answered"
            log.info("%s: %s", job.kind, said, extra={"job": job.id, "request": job.request_id})

    def _save(self, answers: Iterable[tuple[Job, Outcome]]) -> None:
        with self.store.session() as session:
            for job, outcome in answers:
                if isinstance(outcome, UserError):
                    error = {"message": outcome.message, "remedy": outcome.remedy, "field": outcome.field}
                    leases.fail(session, job.id, self.name, error)
                elif isinstance(outcome, dict):
                    self._finish(session, job, outcome)

    def _finish(self, session: Session, job: Job, outcome: dict[str, Any]) -> None:
        """An answer becomes a trace in the same transaction that ends its job; what else was made stands in the job."""
        if job.kind != "trace":
            leases.finish(session, job.id, self.name, outcome)
        elif leases.finish(session, job.id, self.name):
            traces.keep(session, job, outcome)
            self.engine.follow(session, job)

    def _report(
        self, taken: Sequence[Job], stage: str, done: int = 0, total: int | None = None
    ) -> list[bool]:
        if taken[0].kind in TRAINING:  # which takes long: whoever asks meanwhile is answered first
            if self.stopping.is_set():  # it waits for the next worker, which goes on with it
                return [False for _ in taken]
            self._take(TRACING, BATCH)
        with self.store.session() as session:
            if self.clock.leapt():
                leases.renew(session, self.name)
            wanted = leases.advance(session, [job.id for job in taken], self.name, stage, done, total)
        return [job.id in wanted for job in taken]

    def _pulse(self) -> None:
        """Signs of life that no database can hold up: a lock of PostgreSQL has no end."""
        while not self.stopping.wait(workers.HEARTBEAT):
            self.beats()

    def _live(self) -> None:
        while not self.stopping.wait(workers.HEARTBEAT):
            try:
                self._beat()
                self._recover()
                self._told.well(calm=CALM)
            except Exception as error:  # a database that is away for a moment must not end the heart
                if not self._told.trouble(error) and not self.stopping.is_set():
                    log.exception("The heartbeat could not be saved")

    def _beat(self) -> None:
        with self.store.session() as session:
            workers.record_heartbeat(
                session,
                self.name,
                device=self.engine.device,
                status=self.status,
                detail=self.detail,
                loaded=self.loaded,
            )

    def _recover(self) -> None:
        with self.store.session() as session:
            if self.clock.leapt():  # nobody's lease says anything until all have noticed
                return leases.renew(session, self.name)
            before = leases.held(session, self.name)
            found = leases.recover(session, workers.dead(session, self.name))
        arriving.sweep(self.store, steps=1)
        if found.again or found.failed:
            many = len(found.again), len(found.failed)
            log.warning("A worker died or hung: %d of its questions wait again, %d failed.", *many)
        # What is no longer in hand may as well have been answered, or cancelled, while this was looked at.
        if late := before & (found.again | found.failed):
            log.error("No progress with %s: given up.", ", ".join(sorted(late)))
            self.hung()


def _failed(error: Exception) -> UserError:
    if is_trouble(error) == "memory":
        return UserError(TOO_LARGE[0], remedy=TOO_LARGE[1], status=503)
    return UserError(UNEXPECTED.format(f"{type(error).__name__}: {error}"), status=500)
