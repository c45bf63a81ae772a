"""Writes the type of every retrieved passage of a run's facts."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from app.evaluation.types import FactOf, classify, shared_cue
from app.store.chunks import chunks
from app.store.tables import Passage, Prompt, Result, Retrieved, Run

CHUNK = 2_000


def classify_run(session: Session, run: Run, progress: Callable[[int, int], None] | None = None) -> int:
    """Class the retrieved passages of every prompt about a fact; returns how many."""
    facts = _facts(session, run)
    query = (
        select(Retrieved.result_id, Retrieved.side, Retrieved.rank, Retrieved.correct, Result.prompt_id)
        .add_columns(Passage.text, Passage.meta)
        .join(Result, Result.id == Retrieved.result_id)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Result.run_id == run.id, Result.prompt_id.in_(select(Prompt.id).where(_of(run))))
    )
    rows = session.execute(query).all()
    values = [
        {
            "r": row.result_id,
            "s": row.side,
            "k": row.rank,
            "kind": classify(facts[row.prompt_id], row.text, row.meta, row.correct),
        }
        for row in rows
    ]
    change = update(Retrieved.__table__).where(  # type: ignore[arg-type]
        Retrieved.result_id == bindparam("r"),
        Retrieved.side == bindparam("s"),
        Retrieved.rank == bindparam("k"),
    )
    done = 0
    for piece in chunks(values, CHUNK):
        session.execute(change.values(kind=bindparam("kind")), piece)
        done += len(piece)
        if progress:
            progress(done, len(values))
    return done


def _facts(session: Session, run: Run) -> dict[int, FactOf]:
    prompts = session.scalars(select(Prompt).where(_of(run))).all()
    by_relation: dict[str | None, list[tuple[str, str | None]]] = {}
    for prompt in prompts:
        by_relation.setdefault(prompt.relation, []).append((prompt.text, prompt.subject))
    cues = {relation: shared_cue(own) for relation, own in by_relation.items() if relation}
    return {
        prompt.id: FactOf(
            prompt.subject,
            (prompt.target, *prompt.aliases),
            prompt.relation,
            prompt.fact_id,
            cues.get(prompt.relation or "", ()),
        )
        for prompt in prompts
    }


def _of(run: Run) -> ColumnElement[bool]:
    return (Prompt.prompt_set_id == run.prompt_set_id) & (Prompt.task == "fact")
