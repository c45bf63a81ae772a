"""Token influence on an example's page: whether it can be had, how far it is, and the steps its words are shaded in."""

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


def can_split(settings: Settings, example: Example) -> bool:
    """Whether scores can be split over words: not those of a contrast, which are of two completions together."""
    return example.result.contrast is None and can_shade(settings, example)


def shading_of(example: Example) -> Shading:
    """What the worker is asked: the passages that a page of the example begins with."""
    ids = dict.fromkeys(row.passage_id for row in example.retrieved[: min(SHOWN, MAX_PASSAGES)])
    asked = example_query(example)
    return Shading(
        prompt=asked.prompt,
        completion=asked.completion,
        span=asked.span,
        tokens=asked.tokens,
        index=str(example.run.index_name),
        passages=tuple(ids),
    )


def example_query(example: Example) -> Query:
    """What the example's run asked of its prompt."""
    return asked_of(example.run.explains, example.prompt, example.output)


def token_influence(
    session: Session, settings: Settings, example: Example, ask_url: str
) -> tuple[ShadingView, dict[int, list[ShadedToken]]]:
    """The state of the shading, and once it is done the tokens of each passage by its id."""
    ready = any(worker.status == "ready" for worker in workers.alive(session))
    if not example.retrieved:
        return ShadingView(status="never asked", ready=ready, ask_url=ask_url), {}
    try:
        job = shaded(session, settings, shading_of(example))
    except UserError as error:
        return ShadingView(status="failed", ready=ready, ask_url=ask_url, message=str(error)), {}
    if job is None:
        return ShadingView(status="never asked", ready=ready, ask_url=ask_url), {}
    if job.state == "failed":
        message = (job.error or {}).get("message", "")
        return ShadingView(status="failed", ready=ready, ask_url=ask_url, message=message), {}
    if job.state not in OVER:
        return ShadingView(status="waiting", ready=ready, ask_url=ask_url), {}
    result = ShadingResult.model_validate(job.result)
    tokens = {
        each.passage_id: [ShadedToken(start=start, end=end, value=value) for start, end, value in each.tokens]
        for each in result.passages
    }
    most = max((abs(token.value) for found in tokens.values() for token in found), default=0.0)
    return ShadingView(status="done", ready=ready, ask_url=ask_url, most=most), tokens


def shades(text: str, tokens: list[ShadedToken], most: float) -> list[Span]:
    """A span for each token that carries a tenth of the most or more: `for-1` to `for-5`, `against-1` to `-5`.

    The space that begins a token is not shaded.
    """
    spans = []
    for token in tokens:
        share = abs(token.value) / most if most else 0.0
        if share >= 1 / (2 * STEPS):
            kind = f"{'for' if token.value > 0 else 'against'}-{ceil(share * STEPS)}"
            piece = text[token.start : token.end]
            start = token.start + len(piece) - len(piece.lstrip())
            spans.append(Span(start=start, end=token.end, kind=kind))
    return spans
