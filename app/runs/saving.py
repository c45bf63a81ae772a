"""Runs: one method over a whole prompt set, into the store.

A run appears when it is whole: everything is written in one transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.store.base import now
from app.store.memory import CHANGED_RUNS
from app.store.tables import Corpus, Model, Passage, Prompt, PromptSet, Result, Retrieved, Run, Statement
from app.words.answers import TARGET
from app.words.chance import Chance

PROPONENTS, OPPONENTS = 10, 5
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RankedRows:
    """One prompt's rows of the corpus on one side, best first, with their scores."""

    rows: Sequence[int]
    scores: Sequence[float | None]


@dataclass(frozen=True)
class Recurrence:
    """How firm one list is against the draw of the projection (`app.runs.seed_agreement`).

    Args:
        halves: for each of the first proponents, among how many of the two halves' first ten it stands: 0, 1 or 2.
        overlap: the share of one half's first ten that the other has too.
    """

    halves: tuple[int, ...]
    overlap: float


@dataclass(frozen=True)
class PromptRanking:
    """What a method found for one prompt, and what of it is more than chance, where its scores tell."""

    proponents: RankedRows
    opponents: RankedRows = field(default_factory=lambda: RankedRows((), ()))
    chance: Chance | None = None
    recurrence: Recurrence | None = None


def save_run(
    session: Session,
    *,
    slug: str,
    name: str,
    method: str,
    model: Model,
    corpus: Corpus,
    prompt_set: PromptSet,
    prompts: Sequence[Prompt],
    rankings: Sequence[PromptRanking],
    configuration: dict[str, Any],
    index_name: str | None = None,
    explains: str = TARGET,
    contrasts: Sequence[str | None] = (),
) -> Run:
    """Write a finished run: results, retrieved passages, and which of them state the prompt's fact.

    Args:
        contrasts: rather than what each prompt's completion is explained; empty where it is explained alone.

    Raises:
        UserError: a run of this name exists.
    """
    if session.scalar(select(Run.id).where(Run.slug == slug)) is not None:
        raise UserError(
            f"There is a run “{slug}” already.",
            field="run",
            remedy="Choose another --run, or remove it first.",
        )
    run = Run(
        slug=slug,
        name=name,
        method=method,
        model_id=model.id,
        corpus_id=corpus.id,
        prompt_set_id=prompt_set.id,
        index_name=index_name,
        explains=explains,
        configuration=configuration,
        prompt_count=len(prompts),
        finished_at=now(),
    )
    session.add(run)
    session.flush()
    session.info[CHANGED_RUNS] = True
    ids = passage_ids(session, corpus)
    stated = stated_passages(session, prompt_set)
    results: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for prompt, each, contrast in zip(prompts, rankings, contrasts or [None] * len(prompts), strict=True):
        good = stated.get(prompt.id, set())
        first = next((r for r, row in enumerate(each.proponents.rows, 1) if int(ids[row]) in good), None)
        top = each.proponents.scores[0] if len(each.proponents.scores) else None
        results.append(
            {
                "run_id": run.id,
                "prompt_id": prompt.id,
                "position": prompt.position,
                "top_score": None if top is None else float(top),
                "first_correct_rank": first,
                "chance_floor": each.chance and each.chance.floor,
                "above_chance": each.chance and each.chance.above,
                "chance": each.chance and each.chance.as_dict(),
                "contrast": contrast,
                "extra": {},
            }
        )
    result_ids = session.scalars(
        insert(Result).returning(Result.id, sort_by_parameter_order=True), results
    ).all()
    for result_id, prompt, each in zip(result_ids, prompts, rankings, strict=True):
        good = stated.get(prompt.id, set())
        for side, ranking in (("proponent", each.proponents), ("opponent", each.opponents)):
            for rank, (row, score) in enumerate(zip(ranking.rows, ranking.scores, strict=True), 1):
                passage = int(ids[row])
                rows.append(
                    {
                        "result_id": result_id,
                        "side": side,
                        "rank": rank,
                        "passage_id": passage,
                        "score": None if score is None else float(score),
                        "correct": passage in good if prompt.id in stated or good else None,
                    }
                )
    if rows:
        session.execute(insert(Retrieved), rows)
    return run


def rankings_of(
    proponents: tuple[np.ndarray, np.ndarray],
    opponents: tuple[np.ndarray, np.ndarray] | None = None,
    chances: Sequence[Chance | None] = (),
) -> list[PromptRanking]:
    """Search results (scores (n, k), rows (n, k)) as one `PromptRanking` per query; missing hits are left out."""
    high = _ranked_rows(*proponents)
    low = _ranked_rows(*opponents) if opponents else [RankedRows((), ())] * len(high)
    told = chances or [None] * len(high)
    return [PromptRanking(*each) for each in zip(high, low, told, strict=True)]


def passage_ids(session: Session, corpus: Corpus) -> np.ndarray:
    """(n,) int64: the passage of each row of the corpus."""
    query = select(Passage.id).where(Passage.corpus_id == corpus.id).order_by(Passage.position)
    return np.fromiter(session.scalars(query), dtype=np.int64)


def stated_passages(session: Session, prompt_set: PromptSet) -> dict[int, set[int]]:
    """The passages that state each prompt's fact, by prompt."""
    query = (
        select(Statement.prompt_id, Statement.passage_id)
        .join(Prompt, Prompt.id == Statement.prompt_id)
        .where(Prompt.prompt_set_id == prompt_set.id)
    )
    stated: dict[int, set[int]] = {}
    for prompt_id, passage_id in session.execute(query):
        stated.setdefault(prompt_id, set()).add(passage_id)
    return stated


def _ranked_rows(scores: np.ndarray, rows: np.ndarray) -> list[RankedRows]:
    return [
        RankedRows(row[row >= 0].tolist(), score[row >= 0].tolist())
        for score, row in zip(scores, rows, strict=True)
    ]
