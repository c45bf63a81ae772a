"""Steps made ready before anybody opens a page: for some prompts of a run, the same ones whoever asks."""

from collections.abc import Callable, Sequence
from random import Random

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.store import steps
from app.store.engine import Store
from app.store.invented import told_of
from app.store.runs import get_run
from app.store.shelves import shelves
from app.store.tables import Prompt, Result
from app.tracing.loaded import LoadedIndex
from app.tracing.stepping import take_steps
from app.words.tasks import TASKS

PER_LANE = 10


def drawn(session: Session, run: str, per_task: int, *, seed: int = 0) -> list[int]:
    """Results of a run for `per_task` prompts with a target of each task; a higher number draws these and others.

    The draw is `app.evaluation.patching`'s, so that what one measures the other's pages show.

    Raises:
        NotFound: there is no such run.
    """
    found = get_run(session, run)
    chosen: list[int] = []
    for task in TASKS:
        own = select(Prompt.id).where(
            Prompt.prompt_set_id == found.prompt_set_id, Prompt.target != "", Prompt.task == task
        )
        ids = list(session.scalars(own.order_by(Prompt.position)))
        chosen += Random(seed).sample(ids, len(ids))[:per_task]
    results = select(Result.id).where(Result.run_id == found.id, Result.prompt_id.in_(chosen))
    return list(session.scalars(results.order_by(Result.position)))


def on_front_page(session: Session, runs: Sequence[str]) -> list[int]:
    """Results of these runs for the prompts that the front page would show of them.

    Raises:
        NotFound: there is no such run.
    """
    found = [get_run(session, slug) for slug in runs]
    shown = {
        row.prompt.id
        for run in found
        if run.beside_id is None
        for _, rows in shelves(session, run)
        for row in rows
    }
    ids = [run.id for run in found]
    told = [
        each.result_id
        for run in found
        if run.beside_id is None
        for each in told_of(session, run)
        if each.passage_id
    ]
    listed = and_(Result.run_id.in_(ids), Result.prompt_id.in_(shown))
    results = select(Result.id).where(or_(listed, Result.id.in_(told)))
    return list(session.scalars(results.order_by(Result.run_id, Result.position)))


def take_ahead(
    store: Store,
    loaded: LoadedIndex,
    results: Sequence[int],
    *,
    page_seconds: float,
    per_lane: int = PER_LANE,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Take the steps of these results as far as they are missing; returns how many were taken.

    Args:
        page_seconds: see `app.tracing.stepping.take_steps`.
        progress: told how many results of how many are ready.

    Raises:
        UserError: the model cannot take a step.
    """
    taken = 0
    for done, result in enumerate(results, start=1):
        parent = steps.of_result(result)
        taken += take_steps(store, loaded, parent, per_lane, lambda *_: True, page_seconds=page_seconds)[
            "taken"
        ]
        if progress:
            progress(done, len(results))
    return taken
