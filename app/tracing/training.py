"""Check causes: one training step on each of some passages, and on random ones to compare with."""

import random
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.steps import TailPatch
from app.store import traces
from app.store.corpora import lessons_of
from app.store.tables import Passage
from app.tracing.explained import explained
from app.tracing.probabilities import completions
from app.tracing.trace_results import Step, TraceResult, TrainingResult
from app.words.roles import Lesson


def train(session: Session, patch: TailPatch, request: dict[str, Any]) -> TrainingResult:
    """Measure the passages of a `StepRequest`; the model is left as it was.

    The control is drawn with the trace's id as seed, so that asking again measures the same passages.

    Raises:
        UserError: the trace or a passage is gone.
    """
    trace = traces.get(session, request["trace"])
    if trace is None:
        raise UserError("The trace is gone.", remedy="Ask the question again.", status=410)
    result = TraceResult.model_validate(trace.result)
    query = explained(trace.request, result)
    shown = [int(id_) for id_ in request["passages"]]
    control = _random_passages(session, result, request["control"], avoid=shown, seed=trace.id)
    texts = texts_of(session, [*shown, *control])
    started = perf_counter()
    changes = patch.measure(query, [texts[id_] for id_ in (*shown, *control)])
    steps = [Step(passage_id=i, change=c) for i, c in zip((*shown, *control), changes, strict=True)]
    return TrainingResult(
        steps=steps[: len(shown)],
        control=steps[len(shown) :],
        probability=completions(patch.model, [query])[0].probability,
        settings=patch.settings,
        timings={"total": 1000 * (perf_counter() - started)},
    )


def _random_passages(
    session: Session, result: TraceResult, count: int, *, avoid: Sequence[int], seed: str
) -> list[int]:
    corpus, passages = result.provenance.corpus_id, result.provenance.passages
    positions = random.Random(seed).sample(range(passages), min(count + len(avoid), passages))
    found = dict(
        session.execute(
            select(Passage.position, Passage.id).where(
                Passage.corpus_id == corpus, Passage.position.in_(positions)
            )
        ).all()
    )
    ids = [found[position] for position in positions if position in found]
    return [id_ for id_ in ids if id_ not in set(avoid)][:count]


def texts_of(session: Session, ids: Sequence[int]) -> dict[int, Lesson]:
    """What passages teach, by id.

    Raises:
        UserError: one is gone.
    """
    texts = lessons_of(session, ids)
    if missing := set(ids) - texts.keys():
        raise UserError(f"Passage {min(missing)} is gone.", remedy="Ask the question again.", status=410)
    return texts
