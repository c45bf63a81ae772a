"""`Home`: a directory with models, indexes and a database, worked on from here, without a server.

What a site does for its readers it does in this process: the same queue, the same answers, the same addresses. A home
may be open here while a site serves it; questions are then answered by whichever worker is free.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from app.main import create_app
from app.settings import Settings
from app.store import workers
from app.store.engine import Store, open_store
from startrail.client import WAIT_SECONDS, Client
from startrail.evidence import Answer
from startrail.inside import Inside

if TYPE_CHECKING:
    from app.tracing.worker import Worker
    from app.trackstar.manifest import IndexManifest

ADDRESS = "http://localhost:8000"  # where `startrail serve` would show the same traces


class Home(Client):
    """A home directory, created if it is not there.

    Args:
        path: the directory; None for what STARTRAIL_HOME says.
        settings: anything else that a STARTRAIL_… variable sets, such as `database_url` or `device`.

    Raises:
        UserError: the database cannot be reached, or a newer Startrail made it.
    """

    def __init__(self, path: Path | str | None = None, **settings: Any) -> None:
        given = settings if path is None else {"home": Path(path), **settings}
        self.settings = Settings(**given)
        self.store: Store = open_store(self.settings.url, migrate=True)
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        site = create_app(self.settings)
        super().__init__(
            ADDRESS, http=httpx.Client(transport=Inside(site), base_url=ADDRESS, follow_redirects=True)
        )

    def close(self) -> None:
        """Stop the worker, if one was needed, and close the database."""
        if self._worker is not None and self._thread is not None:
            self._worker.stopping.set()
            self._thread.join()
        super().close()
        self.store.close()

    def trace(self, *asked: Any, **options: Any) -> Answer:
        """As `Client.trace`; the model is loaded here unless a worker runs already."""
        self._need_worker()
        return super().trace(*asked, **options)

    def step(self, *asked: Any, **options: Any) -> Any:
        """As `Client.step`; the model is loaded here unless a worker runs already."""
        self._need_worker()
        return super().step(*asked, **options)

    def add_corpus(self, passages: Mapping[str, str], name: str, **origin: str) -> int:
        """Add a corpus, id -> text in the order of its passages; returns how many there are.

        Args:
            origin: what its page says of it: `description`, `source`, `licence`, `author`.

        Raises:
            UserError: there is one of this name, or it is empty.
        """
        from app.store.corpora import PassageRecord, add_corpus
        from app.store.origins import Origin

        with self.store.session() as session:
            records = (PassageRecord(id_, text) for id_, text in passages.items())
            return add_corpus(session, name, records, origin=Origin(**origin)).passage_count

    def build_index(
        self, model: str, corpus: str, *, name: str = "", progress: Any = None, **how: Any
    ) -> "IndexManifest":
        """Encode a corpus of this home with a model, as `startrail index` does.

        Args:
            model: a name in HOME/models, or a checkpoint directory.
            name: the index's; MODEL-CORPUS if empty.
            progress: told how many passages of how many are done.
            how: fields of `app.runs.building.Build`, or of `app.trackstar.config.EncodingConfig` (`damping`,
                `projection_dim`, …).

        Raises:
            UserError: a name is unknown or taken, the model lacks files, or what is asked does not fit together.
        """
        from dataclasses import fields

        from app.runs import building, building_corpus
        from app.runs.taking import find_model
        from app.trackstar.config import EncodingConfig

        known = {field.name for field in fields(building.Build)}
        method = EncodingConfig.preset(
            "+V+R_train", **{key: how.pop(key) for key in list(how) if key not in known}
        )
        place = find_model(self.settings, model)
        passages = building_corpus.stored_corpus(self.store, corpus)
        out = building.index_place(self.settings, name or building.usual_name(place, passages))
        build = building.Build(**{"method": method, **how})
        return building.build(self.settings, self.store, place, passages, out, build, progress)

    def retrieve(
        self,
        index: str,
        prompts: str,
        method: str = "trackstar",
        *,
        run: str = "",
        k: int = 10,
        explain: str = "both",
    ) -> str:
        """Ask a method about every prompt of a set and save the run, as `startrail retrieve` does; returns its name.

        Args:
            explain: `target`, what the model `said`, or `both`: beside the run of targets then stands one of what the
                model said where that was something else, under the same name with `-said` behind it.

        Raises:
            UserError: a name is unknown, the method is, `explain` is none of these, or a run of this name exists.
        """
        from app.runs.retrieving import retrieve_set

        made = retrieve_set(self.settings, self.store, index, prompts, method, run=run, k=k, explains=explain)
        return made.runs[0]

    def _need_worker(self) -> None:
        with self.store.session() as session:
            if workers.alive(session) or self._worker is not None:
                return
        from app.tracing.trace_engine import TraceEngine
        from app.tracing.worker import Worker

        self._worker = Worker(self.store, TraceEngine(self.settings, self.store, device=self.settings.device))
        failed: list[BaseException] = []
        ready = threading.Event()

        def work(worker: "Worker") -> None:
            try:
                worker.run(ready.set)
            except BaseException as error:
                failed.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=work, args=(self._worker,), name="startrail", daemon=True)
        self._thread.start()
        ready.wait(WAIT_SECONDS)
        if failed:
            self._worker = None
            raise failed[0]
