"""Files on their way into the store. An import is a job like any other, done by the process that took the file in.

It runs in a thread of its own, one at a time, so that pages are served meanwhile; any process of the site can show
how far it is, and where its process dies another says so. Nothing of a broken file stays: the store takes a file in
whole or not at all, its last transaction ends the job too, and the file itself is removed.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.store import jobs, leases, workers
from app.store.engine import Store
from app.store.trouble import Told, is_trouble
from app.store.work_tables import Job
from app.web.site.problems import TROUBLE

KEEP_SECONDS = 7 * 24 * 3600  # for files that a process left behind when it died
MAX_WAITING = 20
SHOWN_EVERY = 0.25  # seconds
ENDINGS = re.compile(r"(\.[A-Za-z0-9]{1,8}){0,2}$")

PATIENCE, AGAIN = 600.0, 1.0  # seconds that trouble may last, and between two tries
PASSES = ("busy", "away", "crowded")  # trouble for which a file need not be sent again

log = logging.getLogger(__name__)
told = Told(log, "An import")
Stage = Literal["waiting", "fetching", "importing", "done", "failed"]


class ImportProblem(BaseModel):
    """Why an import failed: what, where in the file, and what to do."""

    message: str
    remedy: str = ""
    line: int | None = None
    field: str | None = None


@dataclass(frozen=True)
class ImportState:
    """One file on its way in.

    Args:
        file: as the reader knows it.
        run: the run's name as asked for; its slug once done.
        done, total: bytes of this stage; `total` where it is known.
        examples: how many there were, once done.
    """

    id: str
    file: str
    run: str
    stage: Stage
    done: int = 0
    total: int | None = None
    examples: int = 0
    problem: ImportProblem | None = None

    @property
    def over(self) -> bool:
        """Nothing more will happen to it."""
        return self.stage in jobs.OVER


Report = Callable[[Literal["fetching", "importing"], int, int | None], None]
Finish = Callable[[Session, str, int], None]
"""Ends the job in the transaction that brought the run: its slug, its examples."""
Work = Callable[[Report, Finish], None]


class ImportLost(Exception):
    """The job is no longer this process's: nothing may be saved."""


class Imports:
    """The imports of one process of the site."""

    def __init__(self, store: Store, home: Path) -> None:
        """Nothing is touched and no thread started before the first import."""
        self.directory = home / "uploads"
        self.store = store
        self._name = workers.new_name()
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        # SQLite has one writer: while a file is taken in, nobody can write how far that is.
        self._told: dict[str, tuple[str, int, int | None]] = {}

    def new(self) -> str:
        """An id for an import, with a directory for its file."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for path in self.directory.iterdir():
            with suppress(FileNotFoundError):  # an import that ends takes its file away meanwhile
                if time.time() - path.stat().st_mtime > KEEP_SECONDS:
                    path.unlink()
        return jobs.new_id()

    def path(self, id_: str, file: str = "") -> Path:
        """Where the import's own copy of the file belongs: its name ends as the file's, for a table is told by that."""
        endings = ENDINGS.search(file)
        return self.directory / f"{id_}.data{endings[0] if endings else ''}"

    def discard(self, id_: str) -> None:
        """Take away the import's own copy of the file, whatever it is called by now."""
        for path in self.directory.glob(f"{id_}.data*"):
            path.unlink(missing_ok=True)

    def get(self, id_: str) -> ImportState:
        """The import as it stands; one whose process died shows as failed.

        Raises:
            NotFound: no such import.
        """
        with self.store.session() as session:
            job = _find(session, id_)
            if job.state not in jobs.OVER and job.worker and workers.is_gone(job.worker):
                leases.recover(session, [job.worker])
                job = _find(session, id_)
        return _state(job, self._told.get(id_))

    def start(self, id_: str, file: str, run: str, work: Work) -> None:
        """Do the work in the import thread, after those that wait before it.

        Raises:
            UserError: too many imports wait already (HTTP 503).
        """
        request = {"file": file, "run": run}
        with self.store.session() as session:
            jobs.add(session, "import", request, limit=MAX_WAITING, worker=self._name, id_=id_)
        with self._lock:
            self._told[id_] = ("waiting", 0, None)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._pool.submit(self._run, id_, work)

    def close(self) -> None:
        """Finish the import at hand, drop those that wait."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, id_: str, work: Work) -> None:
        try:
            self._through_trouble(lambda: self._do(id_, work), PASSES)
        except UserError as error:
            self._fail(
                id_, ImportProblem(**{name: getattr(error, name) for name in ImportProblem.model_fields})
            )
        except ImportLost:
            pass  # whoever took it away has said why
        except Exception as error:
            message = TROUBLE.get(is_trouble(error), (f"The import broke: {type(error).__name__}.",))[0]
            self._fail(id_, ImportProblem(message=message, remedy="Tell the operator."))
            raise
        finally:
            self.discard(id_)
            del self._told[id_]

    def _do(self, id_: str, work: Work) -> None:
        with self.store.session() as session:
            leases.claim(session, self._name, 1, ["import"])
        work(self._reporter(id_), lambda session, run, many: self._finish(session, id_, run, many))

    def _through_trouble(self, act: Callable[[], None], passes: Collection[str]) -> None:
        """Do it, and where the database is in trouble of a kind that passes, from the beginning once it is well."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                act()
            except Exception as error:
                if is_trouble(error) not in passes or time.monotonic() > ends:
                    raise
                told.trouble(error)
                time.sleep(AGAIN)
            else:
                return told.well()

    def _reporter(self, id_: str) -> Report:
        last, shown = 0.0, ""

        def report(stage: Literal["fetching", "importing"], done: int, total: int | None) -> None:
            nonlocal last, shown
            self._told[id_] = (stage, done, total)
            if stage != shown or time.monotonic() - last > SHOWN_EVERY:
                last, shown = time.monotonic(), stage
                try:
                    with self.store.session() as session:
                        leases.advance(session, [id_], self._name, stage, done, total)
                except Exception as error:  # the next time will do
                    if not is_trouble(error):
                        raise

        return report

    def _finish(self, session: Session, id_: str, run: str, examples: int) -> None:
        if not leases.finish(session, id_, self._name, {"run": run, "examples": examples}):
            raise ImportLost

    def _fail(self, id_: str, problem: ImportProblem) -> None:
        def save() -> None:
            with self.store.session() as session:
                leases.fail(session, id_, self._name, problem.model_dump())

        self._through_trouble(save, TROUBLE)


def _find(session: Session, id_: str) -> Job:
    try:
        return jobs.find(session, id_, ["import"])
    except NotFound:
        raise NotFound("There is no such import.", remedy="Start from the upload page.") from None


def _state(job: Job, told: tuple[str, int, int | None] | None) -> ImportState:
    """What the row says; `told` is newer where this process does the import."""
    known: dict[str, Any] = {"id": job.id, "file": job.request["file"], "run": job.request["run"]}
    if job.state == "done":
        return ImportState(**known | {"stage": "done"} | (job.result or {}))
    if job.state == "failed":
        return ImportState(**known, stage="failed", problem=ImportProblem.model_validate(job.error))
    stage, done, total = told or (job.stage, job.done, job.total)
    known |= {"stage": "waiting" if stage == "queued" else stage, "done": done, "total": total}
    return ImportState(**known)
