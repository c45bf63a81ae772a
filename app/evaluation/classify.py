"""Writes the type of every retrieved passage of a run's facts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app.evaluation.types import FactOf, classify, is_exact, shared_cue
from app.store.chunks import chunks
from app.store.tables import Output, Passage, Prompt, Result, Retrieved, Run
from app.words.answers import SAID

CHUNK = 2_000


def classify_run(
    session: Session, run: Run, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Class the retrieved passages of every prompt about a fact; returns how many by which rules.

    `{"exact": …, "by words": …}` (see `app.evaluation.types`), and `"by the file"` where a file gave types, which stay
    as they came, is saved with the run's metrics too.
    """
    facts = _facts(session, run)
    rules = {"exact": 0, "by words": 0}
    usual = run.configuration.get("fields")
    results = session.execute(
        select(Result.id, Result.prompt_id, Result.fields)
        .where(Result.run_id == run.id)
        .order_by(Result.position)
    )
    asked = [
        (result, (facts[prompt], fields or usual or ()))
        for result, prompt, fields in results
        if prompt in facts
    ]
    for done, piece in enumerate(chunks(asked, 100), 1):
        values = list(_classed(session, dict(piece), rules))
        for part in chunks(values, CHUNK):
            session.execute(update(Retrieved), part)
        if progress:
            progress(min(done * 100, len(asked)), len(asked))
    run.metrics = {**run.metrics, "types_by": rules}
    return rules


def _classed(
    session: Session, facts: dict[int, tuple[FactOf, Sequence[str]]], rules: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """The changes of rows whose type is another than the one saved.

    Args:
        facts: by result, with the fields of its record where it came from a file.
    """
    query = (
        select(Retrieved.result_id, Retrieved.side, Retrieved.rank, Retrieved.correct, Retrieved.kind)
        .add_columns(Passage.text, Passage.meta)
        .join(Passage, Passage.id == Retrieved.passage_id)
        .where(Retrieved.result_id.in_(facts))
    )
    for row in session.execute(query).all():
        fact, fields = facts[row.result_id]
        if row.kind is not None and f"{row.side}_types" in fields:
            rules["by the file"] = rules.get("by the file", 0) + 1
            continue
        rules["exact" if is_exact(row.meta) else "by words"] += 1
        kind = classify(fact, row.text, row.meta, row.correct)
        if kind != row.kind:
            yield {"result_id": row.result_id, "side": row.side, "rank": row.rank, "kind": kind}


def _facts(session: Session, run: Run) -> dict[int, FactOf]:
    prompts = session.scalars(select(Prompt).where(_of(run))).all()
    by_relation: dict[str, list[tuple[str, str | None]]] = {}
    for prompt in prompts:
        if prompt.relation:
            by_relation.setdefault(prompt.relation, []).append((prompt.text, prompt.subject))
    cues = {relation: shared_cue(own) for relation, own in by_relation.items()}
    wrong = _wrong_answers(session, run) if run.explains == SAID else {}
    return {
        prompt.id: FactOf(
            prompt.subject,
            (wrong[prompt.id],) if prompt.id in wrong else (prompt.target, *prompt.aliases),
            prompt.relation,
            prompt.fact_id,
            cues.get(prompt.relation or "", ()),
        )
        for prompt in prompts
    }


def _wrong_answers(session: Session, run: Run) -> dict[int, str]:
    """What the run's model said to each prompt that it answered wrong."""
    query = select(Output.prompt_id, Output.answer).where(
        Output.model_id == run.model_id, Output.correct.is_(False), Output.answer.is_not(None)
    )
    found = session.execute(query.join(Prompt, Prompt.id == Output.prompt_id).where(_of(run)))
    return {prompt: str(answer) for prompt, answer in found}


def _of(run: Run) -> ColumnElement[bool]:
    return (Prompt.prompt_set_id == run.prompt_set_id) & (Prompt.task == "fact")
