"""The next question about a trace: some of its words, or why this rather than something else."""

from collections.abc import Sequence
from typing import Any

from app.errors import UserError
from app.models.text import Query
from app.store.work_tables import Trace
from app.tracing.explained import explained
from app.tracing.questions import Question
from app.tracing.trace_results import TraceResult
from app.web.evidence.further import chosen_span
from app.web.site.body import build


def follow_up(trace: Trace | None, fields: Sequence[tuple[str, str]], contrast: str) -> Question:
    """The same question about some tokens of the completion, or against another completion.

    Raises:
        UserError: the trace is not answered, or nothing was chosen.
    """
    if trace is None:
        raise UserError(
            "This trace has no answer to choose from.", remedy="Wait until it is done.", status=409
        )
    result = TraceResult.model_validate(trace.result)
    traced = explained(trace.request, result)
    asked = Question.saved(trace.request).model_dump()
    asked |= {"completion": traced.completion, "tokens": traced.tokens}
    asked |= {"span": None, "contrast": None, "samples": 0}
    if contrast:
        return build(Question, asked | _answer_alone(traced, result) | {"contrast": contrast})
    start, end = chosen_span(fields)
    shift = len(traced.completion) - len(result.completion.text)
    return build(Question, asked | {"span": (start + shift, end + shift)})


def _answer_alone(traced: Query, result: TraceResult) -> dict[str, Any]:
    """The completion up to the end of what was explained: what follows would be weighed against nothing."""
    if traced.span is None or traced.tokens is None:
        return {}
    kept = [token for token in result.completion.tokens if token.start < traced.span[1]]
    return {"completion": traced.completion[: kept[-1].end], "tokens": traced.tokens[: len(kept)]}
