"""Split the influence of some passages over their tokens, exactly."""

from time import perf_counter
from typing import Any

from sqlalchemy.orm import Session

from app.models.text import Query
from app.tracing.probabilities import completions
from app.tracing.trace_results import Shaded, ShadingResult
from app.tracing.training import texts_of
from app.trackstar.encode import Encoder
from app.trackstar.tokens import token_influences


def shade(session: Session, encoder: Encoder, request: dict[str, Any]) -> ShadingResult:
    """The passages of a `Shading`, in its order.

    Raises:
        UserError: a passage is gone, or the query cannot be traced.
    """
    ids = [int(id_) for id_ in request["passages"]]
    texts = texts_of(session, ids)
    started = perf_counter()
    span, written = request.get("span"), request.get("tokens")
    query = Query(
        request["prompt"],
        request["completion"],
        tuple(span) if span else None,
        tuple(written) if written else None,
    )
    contrast = request.get("contrast")
    other = None if contrast is None else Query(request["prompt"], contrast)
    found = token_influences(encoder, query, [texts[id_] for id_ in ids], other=other)
    passages = [
        Shaded(
            passage_id=id_, tokens=[token for token in each.passage if token[0] < token[1]], score=each.score
        )
        for id_, each in zip(ids, found, strict=True)
    ]
    (completion,) = completions(encoder.model, [query])
    return ShadingResult(
        completion=completion, passages=passages, timings={"total": 1000 * (perf_counter() - started)}
    )
