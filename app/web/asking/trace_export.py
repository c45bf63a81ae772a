"""`/traces/{id}.csv`: the passages of a trace as a table, for and against, as its page shows them."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.errors import NotFound
from app.store import jobs
from app.web.asking.trace import TracePage, load
from app.web.asking.trace_answer import Looked
from app.web.evidence.cards import Card
from app.web.site.budgets import exporting
from app.web.site.context import Db
from app.web.site.downloads import download, etag
from app.web.site.export_rows import csv_rows
from app.web.site.params import Name, Slug
from app.words.passages import OPPONENT, PROPONENT

router = APIRouter()
COLUMNS = (
    "side", "rank", "method", "score", "before", "after", "passage_id", "external_id", "text", "explained",
)  # fmt: skip


@router.get("/traces/{trace_id}.csv", dependencies=[Depends(exporting)])
def trace_csv(request: Request, session: Db, trace_id: Slug, view: Name = "") -> Response:
    """The passages of a trace in rank order; `view` as on its page: a method, or `all`."""
    page = load(request, session, jobs.find(session, trace_id), Looked(view))
    if page.answer is None or page.claim is None:
        raise NotFound("This trace has no answer yet.", remedy="Wait until it is answered.")
    rows = _rows(page)
    return download(
        request, f"trace-{page.id}", "csv", csv_rows(COLUMNS, rows), tag=etag(rows), rows=len(rows)
    )


def _rows(page: TracePage) -> list[dict[str, Any]]:
    columns = page.answer.columns if page.answer else []
    listed = [(each.name, PROPONENT, card) for each in columns for card in each.proponents]
    if len(columns) == 1:
        listed += [(columns[0].name, OPPONENT, card) for card in page.opponents]
    said = page.claim.said.strip() if page.claim else ""
    return [_row(method, side, card, said) for method, side, card in listed]


def _row(method: str, side: str, card: Card, said: str) -> dict[str, Any]:
    own = {name: getattr(card, name) for name in COLUMNS if name in Card.model_fields}
    return {**own, "side": side, "method": method, "explained": said}
