"""A question asked and waited for: by the worker that runs already, or, where none does, in this process."""

import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from app.errors import UserError
from app.settings import Settings
from app.showing import Bar, unseen
from app.store import jobs, workers
from app.store.engine import Store
from app.store.job_kinds import TRACING
from app.store.work_tables import Job, Trace
from app.tracing import asking
from app.tracing.questions import Question, StepRequest
from app.tracing.trace_engine import TraceEngine, use_threads
from app.tracing.trace_results import decides
from app.tracing.worker import Worker

POLL = 0.02  # seconds between two looks at a job that somebody else answers
TRAINS = "No worker is running: training here …"
LOADING = "No worker is running: loading model and index here …"


@dataclass(frozen=True)
class StepSettings:
    """One training step on each proponent of a trace.

    Args:
        optimizer: of `app.models.optimizers`; empty: the one saved with the model.
        learning_rate: None: the one that training ended with, or by rule.
    """

    optimizer: str = ""
    learning_rate: float | None = None


@dataclass(frozen=True)
class AnsweredTrace:
    """A trace that is done.

    Args:
        reused: an equal question had been answered before.
        training: the result of a step on each proponent, where one was wanted.
    """

    id: str
    reused: bool
    training: dict[str, Any] | None = None


def trace_now(
    settings: Settings,
    store: Store,
    question: Question,
    steps: StepSettings | None = None,
    bar: Bar = unseen,
) -> AnsweredTrace:
    """Ask, wait for the answer and keep it, as a page would; the model is loaded here only if no worker runs.

    Args:
        steps: also train one step on each proponent.
        bar: shown while a model is loaded here.

    Raises:
        UserError: it cannot be asked, cannot be answered, or was cancelled.
        app.store.jobs.QueueFull: too many questions wait.
    """
    with store.session() as session:
        asked = asking.ask(session, settings, question)
    done = wait_for(settings, store, asked.job.id, bar)
    training = None
    if steps:
        with store.session() as session:
            rankings = session.get_one(Trace, done.id).result["rankings"]
            hits = rankings[decides(rankings)]["proponents"]
            wanted = StepRequest(
                trace=done.id,
                passages=tuple(hit["passage_id"] for hit in hits),
                optimizer=steps.optimizer,
                learning_rate=steps.learning_rate,
            )
            put = asking.train(session, settings, wanted)
        training = wait_for(settings, store, put.job.id, bar).result
    return AnsweredTrace(done.id, asked.reused, training)


def wait_for(
    settings: Settings, store: Store, id_: str, bar: Bar = unseen, kinds: Collection[str] = TRACING
) -> Job:
    """The job once it is over: a worker that runs does it, or, where none does, this process.

    Raises:
        UserError: it failed, or was cancelled.
    """
    own = None
    with ExitStack() as closing:
        while True:
            with store.session() as session:
                found = jobs.find(session, id_, kinds)
                somebody = any(each.status != "failed" for each in workers.alive(session))
            if found.state in jobs.OVER:
                break
            if somebody and own is None:
                time.sleep(POLL)
            else:
                own = own or _own_worker(settings, store, closing, bar, loads=found.kind in TRACING)
                own.step()
    if found.state != "done":
        error = found.error or {"message": "It was cancelled.", "remedy": ""}
        raise UserError(error["message"], remedy=error["remedy"], field=error.get("field"))
    return found


def _own_worker(settings: Settings, store: Store, closing: ExitStack, bar: Bar, *, loads: bool) -> Worker:
    """One that ends when `closing` does: also one that cannot load, whose heart beats already."""
    use_threads(0)
    own = Worker(store, TraceEngine(settings, store, device=settings.device, loads=loads))
    with bar(LOADING if loads else TRAINS):
        return closing.enter_context(own.opened())
