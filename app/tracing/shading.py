"""Split the influence of some passages over their tokens, and over the parts of the answer, exactly."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from sqlalchemy.orm import Session

from app.models.text import Query
from app.tracing.probabilities import completions
from app.tracing.trace_results import Shaded, ShadingResult
from app.tracing.training import texts_of
from app.trackstar.encode import Encoder
from app.trackstar.tokens import Weighted, token_influences
from app.words.parts import parts_of


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
    parts = [] if other else _parts(query)
    passages = [
        Shaded(
            passage_id=id_,
            tokens=[token for token in each.passage if token[0] < token[1]],
            score=each.score,
            parts=_by_part(
                each.query, [(len(query.prompt) + start, len(query.prompt) + end) for start, end in parts]
            ),
        )
        for id_, each in zip(ids, found, strict=True)
    ]
    (completion,) = completions(encoder.model, [query])
    return ShadingResult(
        completion=completion,
        parts=parts,
        passages=passages,
        timings={"total": 1000 * (perf_counter() - started)},
    )


def _parts(query: Query) -> list[tuple[int, int]]:
    """The parts of what is explained, in characters of the completion."""
    start, end = query.span or (0, len(query.completion))
    return [(start + first, start + last) for first, last in parts_of(query.completion[start:end])]


def _by_part(tokens: Weighted, parts: Sequence[tuple[int, int]]) -> list[float]:
    """The sum of each part's tokens. A token is of the part that it ends in: the space before a word is the word's."""
    sums = [0.0] * len(parts)
    for start, end, value in tokens:
        within = [number for number, part in enumerate(parts) if part[0] < max(end, start + 1) <= part[1]]
        sums[within[0] if within else -1] += value
    return sums
