"""The query that a finished trace explains, from what was saved of it."""

from typing import Any

from app.models.text import Query
from app.tracing.trace_results import TraceResult


def explained(request: dict[str, Any], result: TraceResult) -> Query:
    """The same tokens that were traced: training steps and later questions are about these and no others."""
    prompt, said = request["prompt"], result.completion
    # Traces whose tokens have no ids were saved without the space that was put before the completion.
    shift = len(result.joined) - len(prompt) - len(said.text)
    ids = [token.id for token in said.tokens]
    start, end = span_of(request, result)
    return Query(
        prompt,
        result.joined[len(prompt) :],
        None if (start, end) == (0, len(said.text)) else (start + shift, end + shift),
        None if None in ids else tuple(id_ for id_ in ids if id_ is not None),
    )


def span_of(request: dict[str, Any], result: TraceResult) -> tuple[int, int]:
    """The characters of the completion that are explained."""
    start, end = result.target or request.get("span") or (0, len(result.completion.text))
    return start, end
