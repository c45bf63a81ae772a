"""Ask what a model trained without some passages says: what is predicted at once, and the training put into the queue.

Knows no torch, so that the web server can ask. `app.tracing.retraining` trains.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound, UserError
from app.models.text import readable
from app.settings import Settings
from app.store import jobs
from app.store.readers import Visibility
from app.store.tables import Corpus, Passage
from app.store.work_tables import Job
from app.tracing.asking import Submitted
from app.tracing.questions import MAX_CHARACTERS, PassageId, check_text
from app.tracing.version import release
from app.truth.kept import KeptOutcome, is_meant, outcome_of

KIND = "without"
MOST_PASSAGES = 1_000
MOST_PROMPTS = 10
LONGEST_ID = 300
WAITING = 20  # trainings that may wait
PRIORITY = 3  # behind everything that somebody waits for


class AskedOf(BaseModel):
    """A prompt whose answer is measured, with and without. `id` is the stored prompt's; empty for one that was typed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field("", max_length=LONGEST_ID)
    prompt: str = Field(min_length=1, max_length=MAX_CHARACTERS)
    completion: str = Field(
        min_length=1,
        max_length=MAX_CHARACTERS,
        description="As it follows the prompt, with the space it begins with.",
    )

    @classmethod
    def stored(cls, id_: str, prompt: str, completion: str) -> Self:
        """A prompt as the store has it, whose text may be whatever the web holds; read as a model reads it.

        Raises:
            UserError: it is empty, or longer than any question may be.
        """
        if not 0 < min(len(prompt), len(completion)) <= max(len(prompt), len(completion)) <= MAX_CHARACTERS:
            raise UserError(
                f"A prompt and its answer have 1 to {MAX_CHARACTERS:,} characters each where they are measured again.",
                remedy="Choose another prompt.",
                field="prompt",
            )
        return cls(id=readable(id_)[:LONGEST_ID], prompt=readable(prompt), completion=readable(completion))


class BareSum(BaseModel):
    """The sum of the scores that a run has of the passages: of another model, so in a unit that nothing translates."""

    run: str
    method: str
    total: float
    known: int


class PredictedChange(BaseModel):
    """What is predicted of one prompt before anything is trained.

    Args:
        total: sum of the influences of the passages by `method`; None where the small model's are not known.
        known: passages that have a part in it.
        change: of the natural logarithm of the answer's probability, with the 95 % interval of one training; None where
            no trainings say what a sum is worth.
        bare: where `total` is None, the sum of a run's scores.
    """

    method: str = ""
    total: float | None = None
    known: int = 0
    change: float | None = None
    low: float | None = None
    high: float | None = None
    bare: BareSum | None = None


class WithoutRequest(BaseModel):
    """What would a small model say that was trained without these passages?"""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "passages": [12, 40],
                    "prompts": [{"prompt": "The capital of Mali is", "completion": " Bamako"}],
                }
            ]
        },
    )

    passages: tuple[PassageId, ...] = Field(
        min_length=1, max_length=MOST_PASSAGES, description="Ids of passages of one corpus."
    )
    prompts: tuple[AskedOf, ...] = Field(min_length=1, max_length=MOST_PROMPTS)
    visibility: Visibility = "public"


class LeftOut(BaseModel):
    """The passages of a request as the small model meets them: those that it reads, and how many it never read."""

    corpus_id: int
    corpus: str
    ids: list[int]
    external_ids: list[str]
    never_read: int


def left_out(session: Session, settings: Settings, passages: Sequence[int]) -> tuple[LeftOut, KeptOutcome]:
    """Which of the passages the small model of their corpus reads, and the outcome that has its shape.

    Raises:
        UserError: there are too many or none, they are of two corpora, or nothing was trained on theirs.
    """
    ids = list(dict.fromkeys(passages))
    bounded(len(ids))
    rows = session.execute(
        select(Passage.id, Passage.external_id, Passage.meta, Passage.corpus_id)
        .where(Passage.id.in_(ids))
        .order_by(Passage.id)
    ).all()
    if missing := set(ids) - {row.id for row in rows}:
        raise UserError(
            f"There is no passage {min(missing)}.", remedy="Choose from those shown.", field="passages"
        )
    corpora = {row.corpus_id for row in rows}
    if len(corpora) > 1:
        raise UserError("These passages are of two corpora.", remedy="Choose those of one.", field="passages")
    corpus = session.scalars(select(Corpus).where(Corpus.id == corpora.pop())).one()
    kept = outcome_of(settings.home, corpus)
    if kept is None:
        raise UserError(
            f"No small model was trained on “{corpus.name}”, so none can be trained without.",
            remedy=f"startrail truth NAME --corpus {corpus.name} --prompts SET trains one, and tells what influences are worth.",
            field="passages",
            status=409,
        )
    read = [row for row in rows if is_meant(row.meta, kept.outcome.about.get("only", ""))]
    if not read:
        raise UserError(
            f"The small model reads none of these passages, only those with {kept.outcome.about['only']}.",
            remedy="Choose others.",
            field="passages",
        )
    external = [row.external_id for row in read]
    return (
        LeftOut(
            corpus_id=corpus.id,
            corpus=corpus.name,
            ids=[row.id for row in read],
            external_ids=external,
            never_read=len(rows) - len(read),
        ),
        kept,
    )


def bounded(count: int) -> None:
    """See that so many passages may be left out at once.

    Raises:
        UserError: there are none, or too many.
    """
    if not count:
        raise UserError("No passage is ticked.", remedy="Tick one or more.", field="passages")
    if count > MOST_PASSAGES:
        raise UserError(
            f"These are {count:,} passages; {MOST_PASSAGES:,} are the most that are left out at once.",
            remedy="Tick fewer, or train without a random half with startrail truth.",
            field="passages",
        )


def foretold(kept: KeptOutcome, out: LeftOut, prompts: Sequence[AskedOf]) -> list[PredictedChange]:
    """What is predicted of each prompt: the sum of its influences, and what trainings say that it is worth."""
    found = []
    for asked in prompts:
        total = kept.influences.known(asked.id, out.external_ids)
        if total is None:
            found.append(PredictedChange())
            continue
        one = PredictedChange(method=kept.influences.method, total=total[0], known=total[1])
        if kept.calibration is not None:
            change = kept.calibration.change(total[0])
            one = one.model_copy(update={"change": change.mean, "low": change.low, "high": change.high})
        found.append(one)
    return found


def ask_without(
    session: Session,
    settings: Settings,
    request: WithoutRequest,
    predicted: Sequence[PredictedChange] | None = None,
) -> Submitted:
    """Queue the training, or find one that was asked before.

    Args:
        predicted: of each prompt, to be kept beside what will be measured; by default what `foretold` says.

    Raises:
        UserError: it cannot be asked, and nothing was saved.
        app.store.jobs.QueueFull: too many trainings wait.
    """
    for asked in request.prompts:
        check_text(asked.prompt, "prompts", "prompt")
        check_text(asked.completion, "prompts", "completion")
    out, kept = left_out(session, settings, request.passages)
    about = kept.outcome.about
    trained = {"corpus_sha256": about["corpus_sha256"], "only": about["only"], "config": about["config"]}
    said = [asked.model_dump() for asked in request.prompts]
    whole = json.dumps([KIND, trained, out.ids, said, release()], sort_keys=True)
    key = hashlib.sha256(whole.encode()).hexdigest()[:40]
    for done in (True, False):
        found = jobs.newest(session, key, done=done)
        if found is not None and (done or found.state in ("queued", "running")):
            return Submitted(found, reused=True)
    told = predicted or foretold(kept, out, request.prompts)
    body: dict[str, Any] = {
        "kind": KIND,
        "outcome": kept.name,
        **out.model_dump(exclude={"external_ids"}),
        "prompts": said,
        "predicted": [each.model_dump() for each in told],
        **trained,
    }
    job = jobs.add(
        session, KIND, body, limit=WAITING, key=key, priority=PRIORITY, visibility=request.visibility
    )
    return Submitted(job, reused=False)


def find_without(session: Session, id_: str) -> Job:
    """The training of this id, as it is now, where the reader may see its corpus.

    Raises:
        NotFound: there is none.
    """
    try:
        job = jobs.find(session, id_, (KIND,))
    except NotFound:
        job = None
    if job is None or not _shown(session, [job]):
        raise NotFound(f"There is no training “{id_}”.", remedy="Those that are done are listed on /truth.")
    return job


def recent_without(session: Session, *, limit: int) -> list[Job]:
    """The trainings asked for last that are done and listed, newest first."""
    query = (
        select(Job)
        .where(Job.kind == KIND, Job.state == "done", Job.visibility == "public")
        .order_by(Job.finished_at.desc(), Job.id.desc())
        .limit(limit)
    )
    return _shown(session, list(session.scalars(query)))


def _shown(session: Session, found: list[Job]) -> list[Job]:
    """Those whose corpus the reader may see."""
    ids = {job.request["corpus_id"] for job in found}
    shown = set(session.scalars(select(Corpus.id).where(Corpus.id.in_(ids)))) if ids else set()
    return [job for job in found if job.request["corpus_id"] in shown]
