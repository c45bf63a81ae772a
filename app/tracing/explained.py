"""What is explained: by a run of a prompt, and by a finished trace, from what was saved of either."""

from typing import Any

from app.models.text import Query
from app.store.tables import Output, Prompt
from app.tracing.trace_results import TraceResult
from app.words.answers import SAID, TARGET


def asked_of(explains: str, prompt: Prompt, output: Output | None) -> Query:
    """What a run asks of a prompt: its target, or what the model `said`."""
    said, tokens, answer = (output.said, output.said_tokens, output.answer) if output else (None, None, None)
    return Query.explaining(
        explains, prompt.text, prompt.target, said, tokens, answer=answer, whole=bool(prompt.choices)
    )


def explains_of(explains: str, output: Output | None) -> str:
    """What a run explains of one prompt: of a model that said nothing, the target."""
    return SAID if explains == SAID and output and (output.said_tokens or output.answer) else TARGET


def said_otherwise(prompt: Prompt, output: Output | None) -> bool:
    """Whether the model said something else than the prompt's target: something wrong, or the same by another name."""
    said = asked_of(SAID, prompt, output).explained
    return said.strip() != asked_of(TARGET, prompt, output).explained.strip()


def rather_than(prompt: Prompt, output: Output | None) -> Query | None:
    """The truth after its prompt, where the model said something wrong: what a run of what it said is asked against."""
    if output is None or output.correct is not False or explains_of(SAID, output) != SAID:
        return None
    truth = Query.of_target(prompt.text, prompt.ground_truth or prompt.target)
    said = asked_of(SAID, prompt, output).explained
    return truth if truth.completion.strip() not in ("", said.strip()) else None


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
