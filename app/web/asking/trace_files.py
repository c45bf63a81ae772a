"""A trace as a file: its passages as CSV or Parquet, or as JSON Lines a record of the results format."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import UserError
from app.store import jobs
from app.web.asking.trace import TracePage, load
from app.web.asking.trace_answer import Looked
from app.web.evidence.cards import Card
from app.web.site.context import Db
from app.web.site.downloads import download, etag
from app.web.site.export_rows import jsonl_rows
from app.web.site.params import Slug
from app.web.site.tables import kind_of, table, table_route

router = APIRouter()
COLUMNS = ("side", "rank", "score", "before", "after", "passage_id", "external_id", "text")
LISTS = {
    "s": "text",
    "_ids": "external_id",
    "_scores": "score",
}  # as `app.interchange.results_fields` has them


@table_route(router, "/traces/{trace_id}", "export_trace")
def trace_file(request: Request, db: Db, trace_id: Slug) -> Response:
    """What a trace found: one passage a row, or in JSON Lines one record that `startrail import` takes."""
    page = load(request, db, jobs.find(db, trace_id), Looked())
    if page.answer is None:
        raise UserError(
            f"The trace is {page.status}.", remedy="Ask for its file once it is done.", status=409
        )
    name = f"trace-{trace_id}"
    if kind_of(request) == "jsonl":
        record = _record(page, page.answer.completion.text)
        return download(request, name, "jsonl", jsonl_rows([record]), tag=etag(record), rows=1)
    sides = {"proponent": page.proponents, "opponent": page.opponents}
    rows = [_row(side, card) for side, cards in sides.items() for card in cards]
    return table(request, name, COLUMNS, rows)


def _row(side: str, card: Card) -> dict[str, Any]:
    return {"side": side, **{column: getattr(card, column) for column in COLUMNS[1:]}}


def _record(page: TracePage, completion: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "example_id": page.id,
        "inputs_plaintext": page.prompt,
        "targets_plaintext": completion,
    }
    for side, cards in (("proponent", page.proponents), ("opponent", page.opponents)):
        if cards:
            record |= {
                side + rest: [getattr(card, column) for card in cards] for rest, column in LISTS.items()
            }
    return record
