"""The tables of what is done on demand: jobs, traces, steps, and the workers that do them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.any_text import AnyText
from app.store.base import Base, now


class HasAsker:
    """Who asked (`app.store.readers.Visitor.asker`; None: a command), and to whom it is shown."""

    asker: Mapped[str | None] = mapped_column(String(80))
    visibility: Mapped[str] = mapped_column(String(10), default="public", server_default="public")


class Job(HasAsker, Base):
    """One piece of work and how far it is; see `app.store.jobs` for its kinds and its ways. A trace's job has its id."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state_turn", "state", "priority", "turn", "created_at"),)
    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    parent: Mapped[str | None] = mapped_column(String(80), index=True)  # what it is done for
    key: Mapped[str] = mapped_column(String(64), index=True)  # equal for work with an equal outcome
    priority: Mapped[int] = mapped_column(default=0)  # lower comes first
    share: Mapped[str | None] = mapped_column(String(80))  # whose share of the queue it takes
    turn: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # how many of that share's come before it
    state: Mapped[str] = mapped_column(String(20), default="queued")  # queued running done failed cancelled
    stage: Mapped[str] = mapped_column(String(20), default="queued")
    done: Mapped[int] = mapped_column(BigInteger, default=0)  # of this stage
    total: Mapped[int | None] = mapped_column(BigInteger)
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    attempts: Mapped[int] = mapped_column(default=0)
    request_id: Mapped[str | None] = mapped_column(String(40))  # of the request that asked, for the logs
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # progress renews it
    deadline: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # from its first attempt on
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Trace(HasAsker, Base):
    """One answer given on demand, written once and never changed. Until it is there, its job is all there is."""

    __tablename__ = "traces"
    __table_args__ = (Index("ix_traces_created", "created_at"),)
    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    request: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class StepSet(Base):
    """One target under one state of a model and its optimizer, with its probability before any step."""

    __tablename__ = "step_sets"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # of model, optimizer settings and target
    before: Mapped[float]
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class StepTaken(Base):
    """One training step on one passage from a set's state: the target's probability after it. Never taken twice."""

    __tablename__ = "steps_taken"
    set_id: Mapped[int] = mapped_column(ForeignKey("step_sets.id", ondelete="CASCADE"), primary_key=True)
    passage_id: Mapped[int] = mapped_column(
        ForeignKey("passages.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    after: Mapped[float]


class LanePassage(Base):
    """A passage that is stepped on for a trace or a result, and as which: see `app.store.steps.LANES`."""

    __tablename__ = "lanes"
    parent: Mapped[str] = mapped_column(String(80), primary_key=True)
    lane: Mapped[str] = mapped_column(String(10), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    passage_id: Mapped[int] = mapped_column(ForeignKey("passages.id", ondelete="CASCADE"), index=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("step_sets.id", ondelete="CASCADE"), index=True)


class Arriving(Base):
    """An import that is not whole yet, and which rows are its own: see `app.store.arriving`. No foreign keys, for it comes
    first and goes last."""

    __tablename__ = "arriving"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))  # the process, named as workers are
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    run_id: Mapped[int | None]
    corpus_id: Mapped[int | None]
    passages_from: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # position of the first of its own
    prompt_set_id: Mapped[int | None]
    prompts_from: Mapped[int] = mapped_column(default=0, server_default="0")
    model_id: Mapped[int | None]
    made: Mapped[list[str]] = mapped_column(
        default=list, server_default="[]"
    )  # tables where it made the parent


class WorkerRow(Base):
    """A tracing process and what it has loaded; `seen_at` is its heartbeat."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    device: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))  # loading, ready, failed
    detail: Mapped[str] = mapped_column(AnyText, default="")
    loaded: Mapped[dict[str, Any]] = mapped_column(default=dict)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
