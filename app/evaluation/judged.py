"""A run as lists to compute with: for each prompt its ranked judgements, scores, types and slices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.interchange.results_out import STATED
from app.store.tables import Output, Prompt, Result, Retrieved, Run, Statement


@dataclass(frozen=True)
class Judged:
    """One prompt of a run. Lists are in rank order.

    Args:
        relevant: how many passages state its fact, as the store or else the file knows; else how many of those retrieved.
        counted: `relevant` is known apart from what was retrieved.
        depth: passages of the longest list that the run has of a prompt of this task.
        judgeable: its passages were judged, by the store or by the file; or passages state its fact and none was found.
    """

    prompt_id: int
    external_id: str
    slug: str
    text: str
    target: str
    task: str
    relation: str | None = None
    bucket: int | None = None
    right: bool | None = None
    confidence: float | None = None
    relevant: int = 0
    counted: bool = False
    depth: int = 0
    judgeable: bool = False
    correct: list[bool] = field(default_factory=list)
    ais: list[float | None] = field(default_factory=list)
    kinds: list[str | None] = field(default_factory=list)
    patches: list[float | None] = field(default_factory=list)


_OF_PROMPT = {
    "prompt_id": "id",
    **{name: name for name in ("external_id", "slug", "text", "target", "task", "relation")},
    "bucket": "frequency_bucket",
}


def judged_prompts(session: Session, run: Run, task: str = "") -> list[Judged]:
    """Every prompt of the run (of a task), in the run's order, in three queries."""
    own = [Result.run_id == run.id, *([Prompt.task == task] if task else [])]
    stated = dict(
        session.execute(
            select(Statement.prompt_id, func.count())
            .join(Prompt, Prompt.id == Statement.prompt_id)
            .where(Prompt.prompt_set_id == run.prompt_set_id)
            .group_by(Statement.prompt_id)
        ).all()
    )
    heads = session.execute(
        select(
            Result.id,
            Output.correct,
            Output.confidence,
            Result.extra[STATED],
            *(getattr(Prompt, name) for name in _OF_PROMPT.values()),
        )
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id))
        .where(*own)
        .order_by(Result.position)
    ).all()
    query = (
        select(
            Retrieved.result_id,
            Retrieved.correct,
            Retrieved.ais_score,
            Retrieved.kind,
            Retrieved.tail_patch,
        )
        .join(Result, Result.id == Retrieved.result_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .where(Retrieved.side == "proponent", *own)
        .order_by(Retrieved.result_id, Retrieved.rank)
    )
    rows: dict[int, list[tuple[bool | None, float | None, str | None, float | None]]] = {}
    for result_id, correct, ais, kind, patch in session.execute(query):
        rows.setdefault(result_id, []).append((correct, ais, kind, patch))
    depths: dict[str, int] = {}
    for head in heads:
        depths[head.task] = max(depths.get(head.task, 0), len(rows.get(head.id, ())))
    found = []
    for result_id, right, confidence, named, *of_prompt in heads:
        known: dict[str, Any] = dict(zip(_OF_PROMPT, of_prompt, strict=True))
        mine = rows.get(result_id, [])
        relevant = stated.get(known["prompt_id"], 0) or (len(named) if isinstance(named, list) else 0)
        judged = [bool(row[0]) for row in mine]
        found.append(
            Judged(
                **known,
                right=right,
                confidence=confidence,
                relevant=relevant or sum(judged),
                counted=bool(relevant),
                depth=depths[known["task"]],
                judgeable=any(row[0] is not None for row in mine) if mine else bool(relevant),
                correct=judged,
                ais=[row[1] for row in mine],
                kinds=[row[2] for row in mine],
                patches=[row[3] for row in mine],
            )
        )
    return found


def parted(prompts: Sequence[Judged], by: str) -> dict[str, list[Judged]]:
    """The prompts parted by a slice (`app.words.slices.EVALUATED`)."""
    parts: dict[str, list[Judged]] = {}
    for prompt in prompts:
        value = slice_of(prompt, by)
        if value is not None:
            parts.setdefault(value, []).append(prompt)
    return dict(sorted(parts.items(), key=lambda item: (len(item[0]) if by == "bucket" else 0, item[0])))


def slice_of(prompt: Judged, by: str) -> str | None:
    """Which part of a slice the prompt belongs to, in the words of the site's filters; None for none."""
    if by == "confidence":
        return None if prompt.confidence is None else "high" if prompt.confidence >= 0.5 else "low"
    if by == "right":
        return {True: "yes", False: "no", None: None}[prompt.right]
    if by == "bucket":
        return None if prompt.bucket is None else str(prompt.bucket)
    return prompt.relation or None


def only(prompts: Iterable[Judged], wanted: Mapping[str, str]) -> list[Judged]:
    """The prompts in all the slices wanted, as in `{"bucket": "3", "right": "yes"}`."""
    return [each for each in prompts if all(slice_of(each, by) == value for by, value in wanted.items())]
