"""A run as prompts to judge it by: for each its ranked judgements, scores, types and slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import Session

from app.interchange.results_out import STATED
from app.store.tables import Output, Prompt, Result, Retrieved, Run, Statement

AT_ONCE = 5_000  # prompts in memory with all their passages


@dataclass(frozen=True)
class Judged:
    """One prompt of a run. Lists are in rank order.

    Args:
        relevant: how many passages state its fact, as the store or else the file knows; else how many of those retrieved.
        counted: `relevant` is known apart from what was retrieved.
        judgeable: its passages were judged, by the store or by the file; or passages state its fact and none was found.
    """

    prompt_id: int
    task: str
    relation: str | None = None
    bucket: int | None = None
    right: bool | None = None
    confidence: float | None = None
    relevant: int = 0
    counted: bool = False
    judgeable: bool = False
    correct: list[bool] = field(default_factory=list)
    ais: list[float | None] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)
    patches: list[float | None] = field(default_factory=list)


_HEAD = (
    Result.id,
    Result.position,
    Result.extra[STATED].label("named"),
    Prompt.id.label("prompt_id"),
    Prompt.task,
    Prompt.relation,
    Prompt.frequency_bucket,
    Output.correct,
    Output.confidence,
)
_PASSAGE = (
    Retrieved.result_id,
    Retrieved.correct,
    Retrieved.ais_score,
    Retrieved.kind,
    Retrieved.tail_patch,
)


def judged_prompts(session: Session, run: Run) -> Iterator[Judged]:
    """Every prompt of the run, in the run's order; three queries for some thousands of them."""
    heads = (
        select(*_HEAD)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id))
        .where(Result.run_id == run.id)
        .order_by(Result.position)
        .limit(AT_ONCE)
    )
    last = -1
    while found := session.execute(heads.where(Result.position > last)).all():
        last = found[-1].position
        passages, stated = _passages(session, found), _stated(session, found)
        yield from (_judged(head, passages.get(head.id, ()), stated.get(head.prompt_id, 0)) for head in found)


def _passages(session: Session, heads: Sequence[Row[Any]]) -> dict[int, list[Any]]:
    """Proponents by result."""
    own = (Retrieved.result_id.in_([head.id for head in heads]), Retrieved.side == "proponent")
    rows: dict[int, list[Any]] = {}
    for row in session.execute(select(*_PASSAGE).where(*own).order_by(Retrieved.result_id, Retrieved.rank)):
        rows.setdefault(row.result_id, []).append(row)
    return rows


def _stated(session: Session, heads: Sequence[Row[Any]]) -> dict[int, int]:
    """How many passages state each prompt's fact."""
    ids = [head.prompt_id for head in heads]
    counted = select(Statement.prompt_id, func.count()).where(Statement.prompt_id.in_(ids))
    return dict(session.execute(counted.group_by(Statement.prompt_id)).all())


def _judged(head: Row[Any], passages: Sequence[Any], stated: int) -> Judged:
    relevant = stated or (len(head.named) if isinstance(head.named, list) else 0)
    correct = [bool(row.correct) for row in passages]
    return Judged(
        head.prompt_id,
        head.task,
        relation=head.relation,
        bucket=head.frequency_bucket,
        right=head.correct,
        confidence=head.confidence,
        relevant=relevant or sum(correct),
        counted=bool(relevant),
        judgeable=any(row.correct is not None for row in passages) if passages else bool(relevant),
        correct=correct,
        ais=[row.ais_score for row in passages],
        kinds=[row.kind for row in passages],
        patches=[row.tail_patch for row in passages],
    )


def slice_of(prompt: Judged, by: str) -> str | None:
    """Which part of a slice the prompt belongs to, in the words of the site's filters; None for none."""
    if by == "confidence":
        return None if prompt.confidence is None else "high" if prompt.confidence >= 0.5 else "low"
    if by == "right":
        return {True: "yes", False: "no", None: None}[prompt.right]
    if by == "bucket":
        return None if prompt.bucket is None else str(prompt.bucket)
    return prompt.relation or None
