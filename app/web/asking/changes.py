"""What changed between two traces: the question, and the passages found."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.store.tables import Passage
from app.store.work_tables import Trace
from app.tracing.explained import span_of
from app.tracing.trace_results import TraceResult, decides
from app.web.site import urls
from app.web.site.links import PageUrl

FIELDS = {
    "prompt": "Prompt",
    "completion": "Completion",
    "span": "Part explained",
    "contrast": "Rather than",
    "model": "Model",
    "index": "Index",
    "k": "Passages",
}


class Edited(BaseModel):
    """One field of the question, as it was and as it is; None: not given."""

    field: str
    before: str | None
    after: str | None


class Gone(BaseModel):
    """A passage that was found before and is not now."""

    rank: int
    passage_id: int
    url: PageUrl
    text: str


class TraceChanges(BaseModel):
    """This trace against the one it was made from.

    Args:
        places: passage id -> its rank before, None where it is new; of the passages shown now.
        kept: how many of the passages before are still there.
    """

    id: str
    url: PageUrl
    edited: list[Edited]
    probability_before: float
    probability: float
    places: dict[int, int | None]
    kept: int
    gone: list[Gone]


def changes(session: Session, before: Trace | None, now: Trace) -> TraceChanges | None:
    """What changed since `before`; None where that was not answered."""
    if before is None or before.id == now.id:
        return None
    then, here = before.result, now.result
    old, new = _ranks(then["rankings"]), _ranks(here["rankings"])
    gone = []
    for passage_id in (id_ for id_ in old if id_ not in new):
        passage = session.get(Passage, passage_id)
        if passage is not None:
            gone.append(
                Gone(
                    rank=old[passage_id],
                    passage_id=passage_id,
                    url=urls.passage(passage_id),
                    text=passage.text,
                )
            )
    return TraceChanges(
        id=before.id,
        url=urls.trace(before.id),
        edited=_edited(before, now),
        probability_before=then["completion"]["probability"],
        probability=here["completion"]["probability"],
        places={id_: old.get(id_) for id_ in new},
        kept=len(old.keys() & new.keys()),
        gone=gone,
    )


def _ranks(rankings: Mapping[str, Any]) -> dict[int, int]:
    """By passage, of the method that decides."""
    return {hit["passage_id"]: hit["rank"] for hit in rankings[decides(rankings)]["proponents"]}


def _edited(before: Trace, now: Trace) -> list[Edited]:
    pairs = {name: (before.request.get(name), now.request.get(name)) for name in FIELDS}
    texts = [trace.result["completion"]["text"] for trace in (before, now)]
    pairs["completion"] = (texts[0], texts[1])  # what was explained, typed or generated
    for at, trace in enumerate((before, now)):
        start, end = span_of(trace.request, TraceResult.model_validate(trace.result))
        if (start, end) != (0, len(texts[at])):
            pair = list(pairs["span"])
            pair[at] = texts[at][start:end]
            pairs["span"] = (pair[0], pair[1])
    return [
        Edited(field=FIELDS[name], before=_said(old), after=_said(new))
        for name, (old, new) in pairs.items()
        if old != new
    ]


def _said(value: object) -> str | None:
    return None if value is None else str(value).strip()
