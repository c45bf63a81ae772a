"""Answers questions with the models and indexes of one device, several questions at once."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.checkpoint import weight_bytes
from app.settings import Settings
from app.store import steps
from app.store.engine import Store
from app.store.job_kinds import TRAINING
from app.store.work_tables import Job
from app.tracing import asking
from app.tracing.answering import answer_together
from app.tracing.catalog import choose, default_index
from app.tracing.least_used import LeastUsed, machine_memory
from app.tracing.loaded import LoadedIndex, open_loaded
from app.tracing.retraining import retrain
from app.tracing.search_place import SearchPlace
from app.tracing.shading import shade
from app.tracing.stepping import NotWanted, take_steps
from app.tracing.training import train
from app.tracing.worker import Cancelled, Outcome, Report

WEIGHTS = 3  # times the bytes of its weight files that a model takes, about: numbers of 16 bits are computed with in 32


def use_threads(count: int = 0) -> None:
    """How many processor threads to compute with; 0 leaves one core to the site, which runs beside."""
    torch.set_num_threads(count or max(1, (os.cpu_count() or 2) - 1))


class TraceEngine:
    """What a worker answers with. Not shared between threads."""

    def __init__(
        self, settings: Settings, store: Store, *, device: str = "auto", cluster: str = "", loads: bool = True
    ) -> None:
        self._loads = loads
        self.settings = settings
        self.store = store
        self.device = device
        self._searching = SearchPlace(cluster)
        budget = settings.worker_memory_gb * 1e9 or machine_memory() / 2
        self._kept: LeastUsed[LoadedIndex] = LeastUsed(int(budget))

    def follow(self, session: Session, job: Job) -> None:
        """After an answer, the steps on its passages: when nobody's question waits."""
        if job.kind == "trace" and self.settings.steps_per_lane:
            asking.put_steps(session, steps.of_trace(job.id), job.request["index"], job.request["sha256"])

    def load(self) -> dict[str, Any]:
        """Load the default index and its model, and answer one question to warm up.

        Raises:
            UserError: one is missing or damaged, or they do not fit each other.
        """
        if not self._loads:  # it only trains, or loads what it is asked of
            return {}
        loaded = self._open(default_index(self.settings))
        self.device = str(loaded.model.device)
        loaded.warm_up()
        manifest = loaded.index.manifest
        return {"index": loaded.name, "model": manifest.model.name, "corpus": manifest.corpus.name}

    def answer(self, jobs: Sequence[Job], report: Report) -> list[Outcome]:
        """One outcome per job, in order; a job answered in company has the answer it would have alone."""
        outcomes: dict[str, Outcome] = {}
        groups: dict[tuple[str, str], list[Job]] = {}
        for job in jobs:
            if job.kind != "trace":
                outcomes[job.id] = self._alone(job, report)
            else:
                groups.setdefault((job.request["index"], job.request["sha256"]["index"]), []).append(job)
        for (name, sha256), group in groups.items():
            try:
                loaded = self._open(name, sha256)
            except UserError as error:
                outcomes |= {job.id: error for job in group}
            else:
                outcomes |= answer_together(self.store, loaded, group, report)
        return [outcomes[job.id] for job in jobs]

    def _alone(self, job: Job, report: Report) -> Outcome:
        """A training, a shading or steps: nothing is gained by answering several together."""
        if job.kind in TRAINING:
            return self._without(job, report)
        training = job.kind == "steps"
        if not all(report([job], "training" if training else "shading")):
            return Cancelled()
        try:
            loaded = self._open(job.request["index"], job.request["sha256"]["index"])
            if job.request["kind"] == "steps":
                return take_steps(
                    self.store,
                    loaded,
                    job.request["parent"],
                    self.settings.steps_per_lane,
                    lambda done, total: all(report([job], "training", done, total)),
                    page_seconds=self.settings.steps_page_seconds,
                )
            with self.store.session() as session:
                if training:
                    asked = job.request
                    patch = loaded.patch(asked.get("optimizer", ""), asked.get("learning_rate"))
                    return train(session, patch, asked).model_dump(mode="json")
                return shade(session, loaded.encoder, job.request).model_dump(mode="json")
        except NotWanted:
            return Cancelled()
        except UserError as error:
            return error

    def _without(self, job: Job, report: Report) -> Outcome:
        try:
            return retrain(
                self.settings,
                self.store,
                job.id,
                job.request,
                lambda stage, done, total: all(report([job], stage, done, total)),
            )
        except NotWanted:
            return Cancelled()
        except UserError as error:
            return error

    def _open(self, name: str, sha256: str = "") -> LoadedIndex:
        """The index as it was when the question was put, kept for the next.

        Raises:
            UserError: it cannot be loaded, or is another one by now.
        """
        kept = self._kept.get(name)
        if kept is None or sha256 not in ("", kept.sha256):
            need = WEIGHTS * weight_bytes(choose(self.settings, index=name).model_path)
            kept = self._kept.put(
                name,
                need,
                lambda: open_loaded(
                    self.settings, self.store, name, device=self.device, place=self._searching
                ),
            )
        if sha256 not in ("", kept.sha256):
            raise UserError(
                f"The index “{name}” was built again while this question waited.", remedy="Ask again."
            )
        return kept
