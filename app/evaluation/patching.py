"""Tail-patch for the passages of a run: does one more training step on each make its target likelier? (paper §5.2)

Each distinct passage is trained on once, and every prompt that retrieved it is measured in that state. What was
measured is saved as it comes, so that a run that was stopped goes on where it was.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from app.store.engine import Store
from app.store.tables import Passage, Prompt, Result, Retrieved, Run
from app.trackstar.tailpatch import TailPatch
from app.trackstar.text import Query

CHUNK = 64  # passages between two saves


def patch_run(
    store: Store,
    run: Run,
    patch: TailPatch,
    *,
    k: int = 10,
    prompts: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Measure the first k proponents of a run's prompts; returns the number of pairs measured now.

    Args:
        prompts: measure so many, drawn at random with `seed`: the same prompts for every run of their set.
    """
    with store.session() as session:
        chosen = _chosen(session, run, prompts, seed)
        todo = _todo(session, run, k, chosen)
    total = sum(map(len, todo.values()))
    done = 0
    passages = sorted(todo)
    for start in range(0, len(passages), CHUNK):
        piece = passages[start : start + CHUNK]
        with store.session() as session:
            done += _measure(session, patch, {id_: todo[id_] for id_ in piece})
        if progress:
            progress(done, total)
    with store.session() as session:
        _summarise(session, run, k, patch.settings)
    return done


def _chosen(session: Session, run: Run, count: int | None, seed: int) -> set[int]:
    query = select(Prompt.id).where(Prompt.prompt_set_id == run.prompt_set_id).order_by(Prompt.position)
    ids = list(session.scalars(query))
    return set(ids if count is None or count >= len(ids) else Random(seed).sample(ids, count))


def _todo(session: Session, run: Run, k: int, chosen: set[int]) -> dict[int, list[tuple[int, int, int]]]:
    """By passage: (result, rank, prompt) of each pair that has not been measured."""
    query = (
        select(Retrieved.passage_id, Retrieved.result_id, Retrieved.rank, Result.prompt_id)
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent", Retrieved.rank <= k)
        .where(Retrieved.tail_patch.is_(None))
    )
    todo: dict[int, list[tuple[int, int, int]]] = {}
    for passage, result, rank, prompt in session.execute(query):
        if prompt in chosen:
            todo.setdefault(passage, []).append((result, rank, prompt))
    return todo


def _measure(session: Session, patch: TailPatch, todo: dict[int, list[tuple[int, int, int]]]) -> int:
    texts = {row.id: row.text for row in session.scalars(select(Passage).where(Passage.id.in_(todo)))}
    wanted = {prompt for pairs in todo.values() for _, _, prompt in pairs}
    queries = {
        row.id: Query(row.text, row.target)
        for row in session.scalars(select(Prompt).where(Prompt.id.in_(wanted)))
    }
    rows: list[dict[str, Any]] = []
    for id_, pairs in todo.items():
        [changes] = patch.measure_all([queries[prompt] for _, _, prompt in pairs], [texts[id_]])
        for (result, rank, _), change in zip(pairs, changes, strict=True):
            rows.append({"r": result, "k": rank, "change": change})
    table = update(Retrieved.__table__).where(  # type: ignore[arg-type]
        Retrieved.result_id == bindparam("r"),
        Retrieved.rank == bindparam("k"),
        Retrieved.side == "proponent",
    )
    session.execute(table.values(tail_patch=bindparam("change")), rows)
    return len(rows)


def _summarise(session: Session, run: Run, k: int, settings: dict[str, Any]) -> None:
    """The mean over each prompt's measured proponents, and the settings, which are part of every figure."""
    mean = (
        select(func.avg(Retrieved.tail_patch))
        .where(Retrieved.result_id == Result.id, Retrieved.side == "proponent", Retrieved.rank <= k)
        .scalar_subquery()
    )
    session.execute(update(Result).where(Result.run_id == run.id).values(tail_patch=mean))
    stored = session.get_one(Run, run.id)
    stored.metrics = {**stored.metrics, "tail_patch_settings": settings}
