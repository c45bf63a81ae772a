"""Tail-patch for the passages of runs: does one more training step on each make its target likelier? (paper §5.2)

Each distinct passage is trained on once, and every prompt that any of the runs retrieved it for is measured in that
state. What was measured is saved as it comes, so that work that was stopped goes on where it was.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.steps import TailPatch
from app.models.text import Query
from app.store.chunks import chunks
from app.store.corpora import lessons_of
from app.store.engine import Store
from app.store.tables import Evaluation, Output, Prompt, Result, Retrieved, Run

CHUNK = 32  # passages between two saves, about a second of a small model: what a kill loses, and how often progress is told
Asked = tuple[int, str]  # a prompt, and what of it is explained
Places = dict[Asked, list[tuple[int, int]]]  # (result, rank) where the passage stands for it
Known = dict[tuple[Asked, int], float]  # what was measured, by what was asked and the passage


def patch_runs(
    store: Store,
    slugs: Sequence[str],
    patch: TailPatch,
    *,
    k: int = 10,
    task: str = "",
    limit: int | None = None,
    seed: int = 0,
    again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Measure the first k proponents of the runs' prompts; returns the number of (prompt, passage) pairs measured now.

    Args:
        slugs: runs of the patch's model.
        task: prompts of this task only.
        limit: so many prompts (of those with a target), drawn at random with `seed`, the same for
            every run of their set; a higher limit draws these and others.
        again: forget what was measured before.

    Raises:
        UserError: a run was measured with other settings before, or a prompt cannot be asked.
    """
    with store.session() as session:
        runs = session.scalars(select(Run).where(Run.slug.in_(slugs)).order_by(Run.id)).all()
        model = next((run.model_id for run in runs), 0)
        for run in runs:
            _begin(session, run, patch.settings, again)
        todo: dict[int, Places] = {}
        known: Known = {}
        for run in runs:
            _gather(session, run, k, _chosen(session, run, task, limit, seed), todo, known)
        for run in session.scalars(select(Run).where(Run.model_id.in_({run.model_id for run in runs}))):
            if run not in runs and run.metrics.get("tail_patch_settings") == patch.settings:
                _gather(session, run, k, set(), {}, known)
        _reuse(session, todo, known)
    total, done = sum(map(len, todo.values())), 0
    before: dict[Asked, float] = {}
    for piece in chunks(sorted(todo), CHUNK):
        with store.session() as session:
            done += _measure(session, patch, {id_: todo[id_] for id_ in piece}, before, model)
        if progress:
            progress(done, total)
    with store.session() as session:
        _summarise(session, [run.id for run in runs])
    return done


def _begin(session: Session, run: Run, settings: dict[str, Any], again: bool) -> None:
    """Figures of one run must all be of one kind: the settings are part of every figure.

    What was measured before goes with the figures made of it: stopped on the way, they would stand beside a step that
    they are not of.
    """
    earlier = run.metrics.get("tail_patch_settings")
    own = select(Result.id).where(Result.run_id == run.id)
    if again:
        session.execute(update(Retrieved).where(Retrieved.result_id.in_(own)).values(tail_patch=None))
        session.execute(update(Result).where(Result.run_id == run.id).values(tail_patch=None))
        session.execute(delete(Evaluation).where(Evaluation.run_id == run.id))
    elif earlier is None and session.scalar(
        select(Retrieved.rank).where(Retrieved.result_id.in_(own), Retrieved.tail_patch.is_not(None)).limit(1)
    ):
        raise UserError(
            f"The tail-patches of “{run.slug}” came with its file, which does not say by which step.",
            field="tail-patch",
            remedy="Give --again to measure all of them anew.",
        )
    elif earlier is not None and earlier != settings:
        raise UserError(
            f"The tail-patches of “{run.slug}” were measured with other settings:"
            f" {earlier.get('optimizer')} at {earlier.get('learning_rate')}, now"
            f" {settings['optimizer']} at {settings['learning_rate']}.",
            field="tail-patch",
            remedy="Give --again to measure all of them anew.",
        )
    forgotten = {"tail_patch": None} if again else {}
    run.metrics = {**run.metrics, **forgotten, "tail_patch_settings": settings}


def _chosen(session: Session, run: Run, task: str, limit: int | None, seed: int) -> set[int]:
    own = [Prompt.prompt_set_id == run.prompt_set_id, Prompt.target != ""]
    own += [Prompt.task == task] if task else []
    ids = list(session.scalars(select(Prompt.id).where(*own).order_by(Prompt.position)))
    return set(Random(seed).sample(ids, len(ids))[:limit])


def _gather(
    session: Session,
    run: Run,
    k: int,
    chosen: set[int],
    todo: dict[int, Places],
    known: Known,
) -> None:
    """What is to be measured, by passage, and the pairs that are known."""
    query = (
        select(
            Retrieved.passage_id, Retrieved.result_id, Retrieved.rank, Result.prompt_id, Retrieved.tail_patch
        )
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent", Retrieved.rank <= k)
    )
    for passage, result, rank, prompt, change in session.execute(query):
        if change is not None:
            known[(prompt, run.explains), passage] = change
        elif prompt in chosen:
            todo.setdefault(passage, {}).setdefault((prompt, run.explains), []).append((result, rank))


def _reuse(session: Session, todo: dict[int, Places], known: Known) -> None:
    """Take over what was measured for another run, and drop it from what is to do."""
    rows = []
    for passage, places in list(todo.items()):
        for asked in [each for each in places if (each, passage) in known]:
            rows += [_row(result, rank, known[asked, passage]) for result, rank in places.pop(asked)]
        if not places:
            del todo[passage]
    _save(session, rows)


def _measure(
    session: Session, patch: TailPatch, todo: dict[int, Places], before: dict[Asked, float], model: int
) -> int:
    texts = lessons_of(session, todo)
    wanted = {asked for places in todo.values() for asked in places}
    queries = _queries(session, wanted, model)
    new = sorted(wanted - before.keys())
    before.update(zip(new, patch.probabilities([queries[id_] for id_ in new]), strict=True))
    rows: list[dict[str, Any]] = []
    ends = patch.after([(texts[id_], [queries[asked] for asked in places]) for id_, places in todo.items()])
    for places, own in zip(todo.values(), ends, strict=True):
        for asked, end in zip(places, own, strict=True):
            rows += [_row(result, rank, 100 * (end - before[asked])) for result, rank in places[asked]]
    _save(session, rows)
    return sum(map(len, todo.values()))


def _queries(session: Session, wanted: Collection[Asked], model: int) -> dict[Asked, Query]:
    found = session.execute(
        select(Prompt.id, Prompt.text, Prompt.target, Prompt.choices)
        .add_columns(Output.said, Output.said_tokens, Output.answer)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == model))
        .where(Prompt.id.in_({prompt for prompt, _ in wanted}))
    )
    of = {
        row.id: partial(
            Query.explaining,
            prompt=row.text,
            target=row.target,
            said=row.said,
            tokens=row.said_tokens,
            answer=row.answer,
            whole=bool(row.choices),
        )
        for row in found
    }
    return {(prompt, explains): of[prompt](explains) for prompt, explains in wanted}


def _row(result: int, rank: int, change: float) -> dict[str, Any]:
    return {"result_id": result, "side": "proponent", "rank": rank, "tail_patch": change}


def _save(session: Session, rows: list[dict[str, Any]]) -> None:
    for piece in chunks(rows, 2_000):
        session.execute(update(Retrieved), piece)


def _summarise(session: Session, runs: Sequence[int]) -> None:
    """The mean over each prompt's measured proponents, for lists of prompts."""
    mean = (
        select(func.avg(Retrieved.tail_patch))
        .where(Retrieved.result_id == Result.id, Retrieved.side == "proponent")
        .scalar_subquery()
    )
    session.execute(update(Result).where(Result.run_id.in_(runs)).values(tail_patch=mean))
