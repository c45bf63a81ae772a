"""The tables of what is known and what was found: models, corpora, prompts, runs. One class per noun.

The questions asked of them are beside it; `work_tables` has what is done on demand.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.store.any_text import AnyText
from app.store.base import Base, BigCount, BigId, now
from app.words.roles import Lesson, lesson


class HasOrigin:
    """Where a model or corpus comes from, in the words of whoever added it: see `app.store.origins`."""

    description: Mapped[str] = mapped_column(AnyText, default="")
    source: Mapped[str] = mapped_column(AnyText, default="", server_default="")
    licence: Mapped[str] = mapped_column(AnyText, default="", server_default="")
    author: Mapped[str] = mapped_column(AnyText, default="", server_default="")


class HasVisibility:
    """To whom it is shown: see `app.store.privacy`. `secret` stands in the link of what is unlisted."""

    visibility: Mapped[str] = mapped_column(String(10), default="public", server_default="public")
    secret: Mapped[str | None] = mapped_column(String(64))


class Model(HasOrigin, Base):
    """A causal LM checkpoint with its optimizer's second moments; `path` is None for imported results."""

    __tablename__ = "models"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    path: Mapped[str | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # see `app.models.card`
    answered: Mapped[int] = mapped_column(default=0, server_default="0")  # how often its answers were written
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Corpus(HasOrigin, HasVisibility, Base):
    """A named, versioned set of passages; `sha256` is over ids and texts in order.

    While it is added (`app.store.growing`) count and hash are of the passages that are there, and it is shown to nobody.
    """

    __tablename__ = "corpora"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    sha256: Mapped[str | None] = mapped_column(String(64))
    passage_count: Mapped[int] = mapped_column(default=0)
    reading: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # app.interchange.adding
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Passage(Base):
    """One training example. `position` is its row in the corpus and in every index of that corpus."""

    __tablename__ = "passages"
    __table_args__ = (
        UniqueConstraint("corpus_id", "position"),
        UniqueConstraint("corpus_id", "external_id"),
        {"sqlite_autoincrement": True},  # ids are permalinks and must never be given out twice
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    corpus_id: Mapped[int] = mapped_column(ForeignKey("corpora.id", ondelete="CASCADE"))
    position: Mapped[int]
    external_id: Mapped[str] = mapped_column(AnyText)
    text: Mapped[str] = mapped_column(AnyText)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Who says which part, and what of it was learned (`app.words.roles`); None: all of it, as of plain text.
    roles: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    corpus: Mapped[Corpus] = relationship()

    @property
    def lesson(self) -> Lesson:
        """What a model is taught by it."""
        return lesson(self.text, self.roles)


class PromptSet(Base):
    """Prompts that are asked together; `corpus_id` is the corpus whose passages state their facts."""

    __tablename__ = "prompt_sets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    corpus_id: Mapped[int | None] = mapped_column(ForeignKey("corpora.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Prompt(Base):
    """An input with a target. `slug` is its name in URLs, unique in its set and never changed."""

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("prompt_set_id", "slug"),
        UniqueConstraint("prompt_set_id", "external_id"),
        Index("ix_prompts_set_task_position", "prompt_set_id", "task", "position"),
        Index("ix_prompts_set_relation", "prompt_set_id", "relation"),
        Index("ix_prompts_text", "text", postgresql_using="hash"),  # a tree there refuses long texts
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    prompt_set_id: Mapped[int] = mapped_column(ForeignKey("prompt_sets.id", ondelete="CASCADE"))
    position: Mapped[int]
    external_id: Mapped[str] = mapped_column(AnyText)
    slug: Mapped[str] = mapped_column(String(120))
    task: Mapped[str] = mapped_column(String(40))  # fact, commonsense, arithmetic, open_ended
    text: Mapped[str] = mapped_column(AnyText)
    target: Mapped[str] = mapped_column(AnyText)
    ground_truth: Mapped[str | None] = mapped_column(AnyText)  # where it differs from the traced target
    aliases: Mapped[list[str]] = mapped_column(default=list)
    choices: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # of a task that chooses
    label: Mapped[int | None] = mapped_column(BigCount)  # which of them is right, from 0
    subject: Mapped[str | None] = mapped_column(AnyText)
    relation: Mapped[str | None] = mapped_column(AnyText)
    fact_id: Mapped[str | None] = mapped_column(AnyText)
    frequency: Mapped[int | None] = mapped_column(BigCount)  # passages of the corpus that state it
    frequency_bucket: Mapped[int | None] = mapped_column(BigCount)
    stated: Mapped[bool | None]  # some passage states it, where a results file says so; see also `Statement`
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    prompt_set: Mapped[PromptSet] = relationship()


class Statement(Base):
    """Ground truth: this passage states this prompt's fact."""

    __tablename__ = "statements"
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True)
    passage_id: Mapped[int] = mapped_column(
        ForeignKey("passages.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Output(Base):
    """What a model answers to a prompt: greedy answer, samples, and probabilities (0..1)."""

    __tablename__ = "outputs"
    __table_args__ = (UniqueConstraint("model_id", "prompt_id"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), index=True)
    answer: Mapped[str | None] = mapped_column(AnyText)
    correct: Mapped[bool | None]
    probability: Mapped[float | None]  # of the target, given the prompt
    confidence: Mapped[float | None]  # share of samples that agree with the answer, or the file's own
    samples: Mapped[list[str]] = mapped_column(default=list)
    said: Mapped[str | None] = mapped_column(
        AnyText
    )  # the answer and what follows it, as it follows the prompt
    said_tokens: Mapped[list[int] | None]  # ids of `said`
    said_probability: Mapped[float | None]  # of the answer's tokens, given the prompt
    weighed: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # app.words.choices.Weighed


class Run(HasVisibility, Base):
    """Results of one method over one prompt set, model and corpus, with its full configuration."""

    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(80))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    corpus_id: Mapped[int] = mapped_column(ForeignKey("corpora.id"))
    prompt_set_id: Mapped[int] = mapped_column(ForeignKey("prompt_sets.id"))
    index_name: Mapped[str | None]
    explains: Mapped[str] = mapped_column(
        String(8), default="target", server_default="target"
    )  # or what was `said`
    # The run over targets beside which this one explains what was said, where that was something else.
    beside_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    configuration: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)  # written by app.evaluation
    status: Mapped[str] = mapped_column(String(20), default="done")  # running, done, failed
    prompt_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    model: Mapped[Model] = relationship()
    corpus: Mapped[Corpus] = relationship()
    prompt_set: Mapped[PromptSet] = relationship()


class Result(Base):
    """One prompt of one run. The summary columns exist so that browsing never reads the retrieved rows."""

    __tablename__ = "results"
    __table_args__ = (
        UniqueConstraint("run_id", "prompt_id"),
        Index("ix_results_run_position", "run_id", "position"),
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    top_score: Mapped[float | None]
    first_correct_rank: Mapped[int | None]  # rank of the first proponent that states the fact
    best_ais: Mapped[float | None]
    tail_patch: Mapped[float | None]  # mean over the proponents it was measured for, percentage points
    chance_floor: Mapped[float | None]  # a score; None where the method's scores do not tell it
    above_chance: Mapped[int | None]  # passages of the corpus that score more
    chance: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # app.words.chance.Chance
    contrast: Mapped[str | None] = mapped_column(AnyText)  # the completion rather than which it explains
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what the file said beyond our columns
    fields: Mapped[list[str] | None]  # of the file's record, in order, where not those of its first record
    run: Mapped[Run] = relationship()
    prompt: Mapped[Prompt] = relationship()


class KeptColumn(Base):
    """A column of what lists need of all the prompts of a large run, see `app.store.columns`; `state` tells of what it was
    made."""

    __tablename__ = "kept_columns"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes] = mapped_column(LargeBinary)


class KeptShare(Base):
    """A column of what each prompt of a large run adds to its figures, see `app.evaluation.shares`; `state` as in
    `KeptColumn`."""

    __tablename__ = "kept_shares"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(64))
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Retrieved(Base):
    """One passage retrieved for one result, on one side, at one rank (from 1)."""

    __tablename__ = "retrieved"
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id", ondelete="CASCADE"), primary_key=True)
    side: Mapped[str] = mapped_column(String(10), primary_key=True)  # proponent, opponent
    rank: Mapped[int] = mapped_column(primary_key=True)
    passage_id: Mapped[int] = mapped_column(ForeignKey("passages.id"), index=True)
    score: Mapped[float | None]
    correct: Mapped[bool | None]  # the passage states the fact
    original_rank: Mapped[int | None] = mapped_column(BigCount)
    ais_score: Mapped[float | None]
    ais_window: Mapped[str | None] = mapped_column(AnyText)
    kind: Mapped[str | None] = mapped_column(String(40))  # proponent type, see app.evaluation.types
    tail_patch: Mapped[float | None]  # percentage points
    halves: Mapped[
        int | None
    ]  # of the two of the projection, in whose first ten it is: app.runs.seed_agreement
    passage: Mapped[Passage] = relationship()


class Evaluation(Base):
    """The figures of one run over the prompts of one task, see app.evaluation.report; the summary is `Run.metrics`."""

    __tablename__ = "evaluations"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    task: Mapped[str] = mapped_column(String(40), primary_key=True)
    figures: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class Tombstone(Base):
    """What once stood at a permalink and was removed: the page answers 410 with the reason."""

    __tablename__ = "tombstones"
    path: Mapped[str] = mapped_column(String(400), primary_key=True)
    reason: Mapped[str] = mapped_column(AnyText)
    removed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
