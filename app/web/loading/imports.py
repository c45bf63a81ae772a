"""Files on their way into the store: one small JSON file per import says how far it is.

The import runs in a thread of its own, one at a time, so that pages are served meanwhile; its state lives
under HOME/uploads, so that any process of the site can show it and no restart leaves a page waiting forever.
Nothing of a broken file stays: the store takes a file in one transaction, and the file itself is removed.
"""

import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from sqlalchemy import select

from app.errors import NotFound, UserError
from app.files import write_bytes
from app.interchange.results import import_results
from app.store.engine import Store
from app.store.names import slugify
from app.store.tables import Run

KEEP_SECONDS = 7 * 24 * 3600
STALE_SECONDS = 60
MAX_WAITING = 20


class Problem(BaseModel):
    """Why an import failed: what, where in the file, and what to do."""

    message: str
    remedy: str = ""
    line: int | None = None
    field: str | None = None


class Job(BaseModel):
    """One file on its way in."""

    id: str
    file: str  # as the reader knows it
    run: str = ""  # the run's name as asked for; its slug once done
    stage: Literal["waiting", "fetching", "importing", "done", "failed"] = "waiting"
    done: int = 0  # bytes of this stage
    total: int | None = None  # None where it is not known
    examples: int = 0  # how many there were, once done
    seen_at: float = 0.0
    problem: Problem | None = None

    @property
    def over(self) -> bool:
        """Nothing more will happen to it."""
        return self.stage in ("done", "failed")


Report = Callable[[Literal["fetching", "importing"], int, int | None], None]
Work = Callable[
    [Report], tuple[str, int]
]  # does the import, reports on the way: the run's slug, its examples


class Imports:
    """The imports of one home directory."""

    def __init__(self, home: Path) -> None:
        """Nothing is touched and no thread started before the first import."""
        self.directory = home / "uploads"
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._waiting = 0

    def new(self, file: str, run: str) -> Job:
        """A fresh job with its state on disk.

        Raises:
            UserError: too many imports wait already (HTTP 503).
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._forget_old()
        if self._waiting >= MAX_WAITING:
            raise UserError("Too many files are being imported.", remedy="Try again in a minute.", status=503)
        job = Job(id=secrets.token_hex(8), file=file, run=run)
        self._save(job)
        return job

    def path(self, job: Job, suffix: str = ".jsonl") -> Path:
        """Where the job's own copy of the file belongs."""
        return self.directory / f"{job.id}.data{suffix}"

    def get(self, id_: str) -> Job:
        """The job as it stands; one whose process died shows as failed.

        Raises:
            NotFound: no such import, or it was forgotten.
        """
        if not re.fullmatch(r"[0-9a-f]{16}", id_):
            raise NotFound("There is no such import.", remedy="Start from the upload page.")
        try:
            job = Job.model_validate_json((self.directory / f"{id_}.json").read_text())
        except FileNotFoundError:
            raise NotFound(
                "This import is no longer known.", remedy="Look for its run among the runs."
            ) from None
        if not job.over and time.time() - job.seen_at > STALE_SECONDS:
            job.stage = "failed"
            job.problem = Problem(message="The server stopped meanwhile.", remedy="Send the file again.")
        return job

    def start(self, job: Job, work: Work) -> None:
        """Do the work in the import thread, after those that wait before it."""
        with self._lock:
            self._save(job)
            self._waiting += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._pool.submit(self._run, job, work)
        threading.Thread(target=self._beat, args=(job,), daemon=True).start()

    def drop(self, job: Job) -> None:
        """Forget a job that never began."""
        (self.directory / f"{job.id}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the import at hand, drop those that wait."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Work) -> None:
        last = 0.0

        def report(stage: Literal["fetching", "importing"], done: int, total: int | None) -> None:
            nonlocal last
            changed = stage != job.stage
            job.stage, job.done, job.total = stage, done, total
            if changed or time.monotonic() - last > 0.25:
                last = time.monotonic()
                self._save(job)

        try:
            job.run, job.examples = work(report)
            job.stage = "done"
        except UserError as error:
            job.stage = "failed"
            job.problem = Problem(
                message=error.message, remedy=error.remedy, line=error.line, field=error.field
            )
        except Exception as error:
            job.stage = "failed"
            job.problem = Problem(
                message=f"The import broke: {type(error).__name__}.", remedy="Tell the operator."
            )
            raise
        finally:
            for path in self.directory.glob(f"{job.id}.data*"):
                path.unlink(missing_ok=True)
            with self._lock:
                self._waiting -= 1
                self._save(job)

    def _beat(self, job: Job) -> None:
        """Say that the process lives, also while one long step of the import reports nothing."""
        while not job.over:
            time.sleep(STALE_SECONDS / 6)
            with self._lock:
                if not job.over:
                    self._save(job)

    def _save(self, job: Job) -> None:
        job.seen_at = time.time()
        write_bytes(self.directory / f"{job.id}.json", job.model_dump_json().encode())

    def _forget_old(self) -> None:
        for path in self.directory.iterdir():
            if time.time() - path.stat().st_mtime > KEEP_SECONDS:
                path.unlink(missing_ok=True)


def load_results(
    store: Store, path: Path, file: str, run: str, *, rename: bool, report: Report
) -> tuple[str, int]:
    """Import a results file as a run, whole or not at all; with `rename`, under the next free name like `run`.

    Raises:
        UserError: a line of the file is broken, or the name is taken.
    """
    if rename:
        with store.session() as session:
            taken = set(session.scalars(select(Run.slug)))
        run = unused(run, lambda name: slugify(name) in taken)
    with store.session() as session:
        made = import_results(
            session, path, run=run, name=file, progress=lambda done, total: report("importing", done, total)
        )
        return made.slug, made.prompt_count


def presets(home: Path) -> list[Path]:
    """The results files the operator put into HOME/presets, by name."""
    directory = home / "presets"
    if not directory.is_dir():
        return []
    return sorted(p for p in directory.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz")) and p.is_file())


def run_name(filename: str) -> str:
    """A run's name made from a file's: `c4_trex-trackstar.jsonl.gz` gives `c4_trex-trackstar`."""
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    name = re.sub(r"\.(jsonl|json|gz|txt)$", "", re.sub(r"\.gz$", "", name))
    return "".join(c for c in name if c.isprintable() and c not in "<>").strip()[:80] or "uploaded"


def unused(name: str, taken: Callable[[str], bool]) -> str:
    """`name`, or `name-2`, `name-3`, … whichever is not taken."""
    number, free = 1, name
    while taken(free):
        number += 1
        free = f"{name}-{number}"
    return free
