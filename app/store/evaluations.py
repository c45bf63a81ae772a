"""Questions about the figures of runs, and saving them."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.store.memory import CHANGED_RUNS
from app.store.runs import list_runs
from app.store.tables import Evaluation, Run


def save_figures(
    session: Session, run: Run, tasks: dict[str, dict[str, Any]], summary: dict[str, Any]
) -> None:
    """Replace a run's figures (by task) and the summary that lists of runs show."""
    session.execute(delete(Evaluation).where(Evaluation.run_id == run.id))
    session.flush()
    session.add_all([Evaluation(run_id=run.id, task=task, figures=found) for task, found in tasks.items()])
    run.metrics = summary
    session.info[CHANGED_RUNS] = True


def evaluated(session: Session, task: str) -> list[tuple[Run, dict[str, Any]]]:
    """The runs that were evaluated on a task, in the order of lists, with their figures."""
    query = select(Evaluation.run_id, Evaluation.figures).where(Evaluation.task == task)
    figures: dict[int, dict[str, Any]] = dict(session.execute(query).all())
    return [(run, figures[run.id]) for run in list_runs(session) if run.id in figures]


def figures_of(session: Session, run: Run) -> dict[str, dict[str, Any]]:
    """One run's figures, by task."""
    query = select(Evaluation.task, Evaluation.figures).where(Evaluation.run_id == run.id)
    return dict(session.execute(query.order_by(Evaluation.task)).all())


def evaluated_tasks(session: Session) -> dict[int, list[str]]:
    """The tasks that runs were evaluated on, by run id."""
    found: dict[int, list[str]] = {}
    for run, task in session.execute(select(Evaluation.run_id, Evaluation.task).order_by(Evaluation.task)):
        found.setdefault(run, []).append(task)
    return found
