"""A run as arrays to compute with: for each prompt its ranked judgements, scores, types and slices."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.store.tables import Output, Prompt, Result, Retrieved, Run, Statement


@dataclass(frozen=True)
class Judged:
    """One prompt of a run. Lists are in rank order.

    Args:
        judgeable: the store knows which passages state its fact (or the file judged its passages).
        relevant: how many passages state it.
    """

    prompt_id: int
    external_id: str
    task: str
    relation: str | None
    bucket: int | None
    right: bool | None
    confidence: float | None
    relevant: int
    judgeable: bool
    correct: list[bool] = field(default_factory=list)
    ais: list[float | None] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)
    patches: list[float | None] = field(default_factory=list)


def judged_prompts(session: Session, run: Run) -> list[Judged]:
    """Every prompt of the run, in the run's order, in three queries."""
    stated = dict(
        session.execute(
            select(Statement.prompt_id, func.count())
            .join(Result, and_(Result.prompt_id == Statement.prompt_id, Result.run_id == run.id))
            .group_by(Statement.prompt_id)
        )
        .tuples()
        .all()
    )
    heads = session.execute(
        select(Result.id, Prompt, Output.correct, Output.confidence)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id))
        .where(Result.run_id == run.id)
        .order_by(Result.position)
    ).all()
    rows: dict[int, list[Retrieved]] = {}
    query = (
        select(Retrieved)
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent")
        .order_by(Retrieved.result_id, Retrieved.rank)
    )
    for row in session.scalars(query):
        rows.setdefault(row.result_id, []).append(row)
    found = []
    for result_id, prompt, right, confidence in heads:
        own = rows.get(result_id, [])
        relevant = stated.get(prompt.id, 0)
        found.append(
            Judged(
                prompt_id=prompt.id,
                external_id=prompt.external_id,
                task=prompt.task,
                relation=prompt.relation,
                bucket=prompt.frequency_bucket,
                right=right,
                confidence=confidence,
                relevant=relevant or sum(bool(row.correct) for row in own),
                judgeable=bool(relevant) or any(row.correct is not None for row in own),
                correct=[bool(row.correct) for row in own],
                ais=[row.ais_score for row in own],
                kinds=[row.kind for row in own],
                patches=[row.tail_patch for row in own],
            )
        )
    return found


SLICES = ("relation", "bucket", "right", "confidence")


def sliced(prompts: Sequence[Judged], by: str) -> dict[str, list[Judged]]:
    """The prompts parted by `relation`, frequency `bucket`, model answer (`right`) or `confidence`."""
    parts: dict[str, list[Judged]] = {}
    for prompt in prompts:
        if by == "confidence":
            value = None if prompt.confidence is None else "high" if prompt.confidence >= 0.5 else "low"
        elif by == "right":
            value = {True: "yes", False: "no", None: None}[prompt.right]
        else:
            value = getattr(prompt, by)
        if value is not None:
            parts.setdefault(str(value), []).append(prompt)
    return dict(sorted(parts.items()))
