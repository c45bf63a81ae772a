"""What runs over the states of one model found: where a passage stood in each, asked at once for all."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.store.runs import WITH_NAMES
from app.store.tables import Model, Result, Retrieved, Run
from app.words.passages import PROPONENT

FIRST = 10  # of a prompt's passages: what a reader sees


@dataclass(frozen=True)
class StoodIn:
    """A passage in a run: for how many prompts it is among the first ten, its best rank and its highest score there."""

    prompts: int
    rank: int
    score: float | None


def model_names(session: Session) -> list[str]:
    """The names of all models."""
    return list(session.scalars(select(Model.name).order_by(Model.name)))


def runs_of_models(session: Session, names: Collection[str]) -> list[Run]:
    """The finished runs of models of these names, the oldest first."""
    query = select(Run).join(Model, Model.id == Run.model_id)
    query = query.where(Model.name.in_(names), Run.status == "done").order_by(Run.id)
    return list(session.scalars(query.options(*WITH_NAMES)))


def stood_in(
    session: Session, runs: Collection[int], passages: Collection[int]
) -> dict[tuple[int, int], StoodIn]:
    """By run and passage; without those that are among the first ten of no prompt."""
    query = (
        select(
            Result.run_id,
            Retrieved.passage_id,
            func.count(),
            func.min(Retrieved.rank),
            func.max(Retrieved.score),
        )
        .join(Result, Result.id == Retrieved.result_id)
        .where(Retrieved.passage_id.in_(passages), Result.run_id.in_(runs))
        .where(Retrieved.side == PROPONENT, Retrieved.rank <= FIRST)
        .group_by(Result.run_id, Retrieved.passage_id)
    )
    return {
        (run, passage): StoodIn(prompts, rank, score)
        for run, passage, prompts, rank, score in session.execute(query)
    }
