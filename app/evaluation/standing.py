"""Where passages that state the fact stand in runs: the first figures that a run is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.store.tables import Prompt, Result, Run, Statement

FIRST = 10  # passages that recall looks at


@dataclass(frozen=True)
class RunStanding:
    """One run over the prompts whose fact some passage is known to state; without such prompts there are no figures."""

    run: str
    prompts: int
    mrr: float | None
    recall_10: float | None


def standings(session: Session, runs: Sequence[Run], *, task: str = "") -> list[RunStanding]:
    """How well runs do on the prompts (of a task) whose fact some passage is known to state."""
    return [_standing(session, run, task) for run in runs]


def _standing(session: Session, run: Run, task: str) -> RunStanding:
    stated = exists().where(Statement.prompt_id == Result.prompt_id)
    query = select(Result.first_correct_rank).join(Prompt, Prompt.id == Result.prompt_id)
    query = query.where(Result.run_id == run.id, stated, *([Prompt.task == task] if task else []))
    ranks = session.scalars(query).all()
    if not ranks:
        return RunStanding(run.name, 0, None, None)
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks)
    recall = sum(1 for rank in ranks if rank and rank <= FIRST) / len(ranks)
    return RunStanding(run.name, len(ranks), mrr, recall)
