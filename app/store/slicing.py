"""What facets and sorts of a list are made of, in SQL: over `results` joined to their prompts and answers."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select

from app.store.tables import Output, Prompt, Result, Run

CONFIDENT = 0.5  # the paper's viewer calls an answer confident from here
ENTAILED = (
    0.5  # an AIS score above it says that the passage states the fact: the rule of the viewer of the paper
)

# Somebody knows which passages state it: a fact, or a prompt that some passage is known to state.
LOOKED_FOR = or_(Prompt.task == "fact", Prompt.frequency > 0)

FACETS: dict[str, ColumnElement[Any]] = {  # of `app.words.slices`
    "task": Prompt.task.expression,
    "relation": Prompt.relation.expression,
    "frequency": cast(Prompt.frequency_bucket, String),
    "right": case((Output.correct.is_(True), "yes"), (Output.correct.is_(False), "no")),
    "confidence": case((Output.confidence >= CONFIDENT, "high"), (Output.confidence < CONFIDENT, "low")),
    "stated": case(
        (or_(Result.first_correct_rank.is_not(None), Result.best_ais > ENTAILED), "yes"),
        (or_(LOOKED_FOR, Prompt.stated.is_(False), Result.best_ais.is_not(None)), "no"),
    ),
    "ais": case((Result.best_ais > ENTAILED, "high"), (Result.best_ais <= ENTAILED, "low")),
}

SORTS: dict[str, tuple[Callable[[], ColumnElement[Any]], bool]] = {
    # name -> (value, descending); prompts without the value come last
    "frequency": (lambda: func.coalesce(Prompt.frequency, -1), True),
    "rare": (lambda: func.coalesce(Prompt.frequency, 1 << 40), False),
    "score": (lambda: func.coalesce(Result.top_score, -1e300), True),
    "probability": (lambda: func.coalesce(Output.probability, -1.0), True),
    "sure": (lambda: func.coalesce(Output.said_probability, -1.0), True),
    "tail-patch": (lambda: func.coalesce(Result.tail_patch, -1e300), True),
}


@cache  # a statement is a value: each filter makes another of it
def joined() -> Select[Any]:
    """`results` with their runs, prompts and, where there are any, outputs of the run's model."""
    return (
        select()
        .select_from(Result)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Result.prompt_id, Output.model_id == Run.model_id))
    )
