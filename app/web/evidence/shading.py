"""Which words of a passage carry its influence: whether that can be had, how far it is, and the steps words are shaded in."""

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil
from typing import Literal

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.text import Query
from app.settings import Settings
from app.store import workers
from app.store.examples import Example
from app.store.jobs import OVER
from app.tracing.asking import shaded
from app.tracing.explained import asked_of
from app.tracing.questions import MAX_PASSAGES, Shading
from app.tracing.trace_results import ShadingResult
from app.web.marking.highlight import Span
from app.words.passages import OPPONENT, PROPONENT

STEPS = 5
SHOWN = 20  # passages shaded at once


class ShadedToken(BaseModel):
    """Characters `start` to `end` of a passage carry `value` of its score."""

    start: int
    end: int
    value: float


class ShadingView(BaseModel):
    """How far the shading is; once `done`, `most` is the value of the darkest step."""

    status: Literal["never asked", "waiting", "done", "failed"]
    ready: bool
    message: str = ""
    ask_url: str
    most: float = 0.0


def can_shade(settings: Settings, example: Example) -> bool:
    """Whether the index that the run was made with is here."""
    name = example.run.index_name
    return bool(name) and (settings.indexes / str(name) / "manifest.json").is_file()


def shading_of(
    query: Query, contrast: str | None, index: str, sides: Sequence[Sequence[int]]
) -> Shading | None:
    """What the worker is asked: the passages that a page begins with, by side; None where there is none."""
    first = [id_ for ids in zip_longest(*sides) for id_ in ids if id_ is not None]
    ids = tuple(dict.fromkeys(first))[: min(SHOWN, MAX_PASSAGES)]
    if not ids:
        return None
    return Shading(
        prompt=query.prompt,
        completion=query.completion,
        span=query.span,
        tokens=query.tokens,
        contrast=contrast,
        index=index,
        passages=ids,
    )


def shading_of_example(settings: Settings, example: Example) -> Shading | None:
    """The shading of an example's first passages; None where it cannot be had."""
    if not can_shade(settings, example):
        return None
    sides = [[row.passage_id for row in example.on(side)] for side in (PROPONENT, OPPONENT)]
    return shading_of(example_query(example), example.result.contrast, str(example.run.index_name), sides)


def example_query(example: Example) -> Query:
    """What the example's run asked of its prompt."""
    return asked_of(example.run.explains, example.prompt, example.output)


def token_influence(
    session: Session, settings: Settings, shading: Shading | None, ask_url: str
) -> tuple[ShadingView, dict[int, list[ShadedToken]], ShadingResult | None]:
    """The state of the shading; once it is done the tokens of each passage by its id, and all that was computed."""
    ready = any(worker.status == "ready" for worker in workers.alive(session))
    view = ShadingView(status="never asked", ready=ready, ask_url=ask_url)
    if shading is None:
        return view, {}, None
    try:
        job = shaded(session, settings, shading)
    except UserError as error:
        view.status, view.message = "failed", str(error)
        return view, {}, None
    if job is None:
        return view, {}, None
    if job.state not in OVER:
        view.status = "waiting"
        return view, {}, None
    if job.state == "failed":
        view.status, view.message = "failed", (job.error or {}).get("message", "")
        return view, {}, None
    result = ShadingResult.model_validate(job.result)
    tokens = {
        each.passage_id: [ShadedToken(start=start, end=end, value=value) for start, end, value in each.tokens]
        for each in result.passages
    }
    view.status = "done"
    view.most = max((abs(token.value) for found in tokens.values() for token in found), default=0.0)
    return view, tokens, result


def shades(text: str, tokens: list[ShadedToken], most: float) -> list[Span]:
    """A span for each token that carries a tenth of the most or more: `for-1` to `for-5`, `against-1` to `-5`.

    The space that begins a token is not shaded.
    """
    spans = []
    for token in tokens:
        if kind := shade_of(token.value, most):
            piece = text[token.start : token.end]
            start = token.start + len(piece) - len(piece.lstrip())
            spans.append(Span(start=start, end=token.end, kind=kind))
    return spans


def shade_of(value: float, most: float) -> str:
    """`for-1` to `for-5`, `against-1` to `-5`; empty below a tenth of the most."""
    share = abs(value) / most if most else 0.0
    return f"{'for' if value > 0 else 'against'}-{ceil(share * STEPS)}" if share >= 1 / (2 * STEPS) else ""
