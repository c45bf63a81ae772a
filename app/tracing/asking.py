"""Put a question: check it, answer it from the store if an equal one was answered, else queue it.

Knows no torch, so that the web server can ask.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.settings import Settings
from app.store import jobs, steps, traces
from app.store.readers import PUBLIC
from app.store.showing import hidden_corpora
from app.store.tables import Corpus, Passage
from app.store.work_tables import Job
from app.tracing.catalog import choose
from app.tracing.checking import checked
from app.tracing.questions import Question, Shading, StepRequest, key_of

JOB_KINDS = {"trace": "trace", "train": "steps", "shade": "shade"}  # what is asked -> kind of job


@dataclass(frozen=True)
class Submitted:
    """The job of a question; `reused` if an equal question had been answered before."""

    job: Job
    reused: bool


def ask(session: Session, settings: Settings, question: Question, *, priority: int = 0) -> Submitted:
    """Save the question for the worker, or find its answer.

    Raises:
        UserError: it cannot be asked; `field` says where, and nothing was saved.
        app.store.jobs.QueueFull: too many questions wait.
    """
    hidden = hidden_corpora(session)
    askable = choose(settings, model=question.model, index=question.index, hidden=hidden)
    question = checked(question, askable)
    sha256 = {"model": askable.model_sha256, "index": askable.index_sha256}
    return _put(session, settings, question, sha256, priority=priority)


def train(session: Session, settings: Settings, training: StepRequest) -> Submitted:
    """Save for the worker that it is to train one step on each of the passages.

    Raises:
        UserError: the trace is not answered yet, or a passage is not of its corpus.
        NotFound: there is no such trace.
        app.store.jobs.QueueFull: too many questions wait.
    """
    jobs.find(session, training.trace)
    trace = traces.get(session, training.trace)
    if trace is None:
        raise UserError(
            "Only a trace that is done can be checked by training.",
            remedy="Wait until its passages are there.",
            field="trace",
            status=409,
        )
    ids = tuple(dict.fromkeys(training.passages))
    corpora = select(Passage.id).where(
        Passage.id.in_(ids), Passage.corpus_id == trace.result["provenance"]["corpus_id"]
    )
    if missing := set(ids) - set(session.scalars(corpora)):
        raise UserError(
            f"Passage {min(missing)} is not in the corpus of this trace.",
            remedy="Choose from the passages it shows.",
            field="passages",
        )
    training = training.model_copy(update={"passages": ids})
    where = {"model": trace.request["model"], "index": trace.request["index"]}
    return _put(session, settings, training, trace.request["sha256"], where)


def shade(
    session: Session, settings: Settings, shading: Shading, *, priority: int = 0, limit: int | None = None
) -> Submitted:
    """Save for the worker that it is to split the passages' influence over their tokens.

    Raises:
        UserError: there is no such index, or a passage is not of its corpus.
        app.store.jobs.QueueFull: too many questions wait.
    """
    askable = choose(settings, index=shading.index, hidden=hidden_corpora(session))
    of_corpus = (
        select(Passage.id)
        .join(Corpus, Corpus.id == Passage.corpus_id)
        .where(Passage.id.in_(shading.passages), Corpus.name == askable.corpus)
    )
    if missing := set(shading.passages) - set(session.scalars(of_corpus)):
        raise UserError(
            f"Passage {min(missing)} is not in the corpus of the index “{askable.index}”.", field="passages"
        )
    sha256 = {"model": askable.model_sha256, "index": askable.index_sha256}
    if (waiting := shaded(session, settings, shading)) is not None and waiting.state not in jobs.OVER:
        return Submitted(waiting, reused=True)
    return _put(session, settings, shading, sha256, priority=priority, limit=limit)


def shaded(session: Session, settings: Settings, shading: Shading) -> Job | None:
    """The newest job of an equal shading, whatever its state; None if nobody asked for it yet.

    Raises:
        UserError: there is no such index.
    """
    askable = choose(settings, index=shading.index)
    key = key_of(shading, model_sha256=askable.model_sha256, index_sha256=askable.index_sha256)
    return jobs.newest(session, key, done=False)


def put_steps(
    session: Session,
    parent: str,
    index: str,
    sha256: dict[str, str],
    *,
    priority: int = 1,
    limit: int = 1000,
) -> Job | None:
    """Queue the steps of a trace or result (`app.store.steps`); None where they were queued before.

    Raises:
        app.store.jobs.QueueFull: `limit` jobs of this priority wait.
    """
    key = f"{parent}:{sha256['index'][:16]}"
    if jobs.newest(session, key, done=False) is not None:
        return None
    request = {"kind": "steps", "parent": parent, "index": index, "sha256": sha256}
    trace = parent.removeprefix("trace:")
    return jobs.add(session, "steps", request, key=key, parent=trace, priority=priority, limit=limit)


def want_steps(session: Session, settings: Settings, result_id: int, index: str) -> Job | None:
    """Queue the steps of a run's result that somebody looks at; None where there is nothing to do or no room.

    Raises:
        UserError: there is no such index.
    """
    parent = steps.of_result(result_id)
    if not settings.steps_per_lane or steps.has_steps(session, parent):
        return None
    askable = choose(settings, index=index)
    sha256 = {"model": askable.model_sha256, "index": askable.index_sha256}
    try:
        return put_steps(session, parent, index, sha256, priority=2, limit=settings.steps_queue_limit)
    except jobs.QueueFull:
        return None


def want_shading(session: Session, settings: Settings, shading: Shading) -> Job | None:
    """Queue the shading of passages that somebody looks at; None where it was asked for before, or there is no room.

    Raises:
        UserError: there is no such index.
    """
    if shaded(session, settings, shading) is not None:
        return None
    try:
        return shade(session, settings, shading, priority=2, limit=settings.steps_queue_limit).job
    except jobs.QueueFull:
        return None


def _put(
    session: Session,
    settings: Settings,
    asked: Question | StepRequest | Shading,
    sha256: dict[str, str],
    where: dict[str, str] | None = None,
    *,
    priority: int = 0,
    limit: int | None = None,
) -> Submitted:
    key = key_of(asked, model_sha256=sha256["model"], index_sha256=sha256["index"])
    if (found := jobs.newest(session, key, done=True)) is not None and _whole(found):
        return Submitted(found, reused=True)
    request: dict[str, Any] = asked.model_dump(mode="json") | (where or {}) | {"sha256": sha256}
    parent = asked.trace if isinstance(asked, StepRequest) else None
    job = jobs.add(
        session,
        JOB_KINDS[asked.kind],
        request,
        key=key,
        parent=parent,
        priority=priority,
        limit=settings.trace_queue_limit if limit is None else limit,
        visibility=asked.visibility if isinstance(asked, Question) else PUBLIC,
    )
    return Submitted(job, reused=False)


def _whole(job: Job) -> bool:
    """Whether the answer looked at all rows: one that could not is no answer to who asks later."""
    return not ((job.result or {}).get("provenance") or {}).get("unsearched")
