"""A trace as a file: its passages as a table, for and against, as its page shows them; or one record that `import` takes."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import NotFound
from app.store import jobs
from app.web.asking.trace import TracePage, load
from app.web.asking.trace_answer import Looked
from app.web.evidence.cards import Card
from app.web.site.context import Db
from app.web.site.downloads import download, etag
from app.web.site.export_rows import jsonl_rows
from app.web.site.params import Name, Slug
from app.web.site.tables import kind_of, table, table_route
from app.words.passages import OPPONENT, PROPONENT

router = APIRouter()
LISTS = {
    "s": "text",
    "_ids": "external_id",
    "_scores": "score",
}  # as `app.interchange.results_fields` names them
COLUMNS = (
    "side", "rank", "method", "score", "before", "after", "passage_id", "external_id", "text", "explained",
)  # fmt: skip


@table_route(router, "/traces/{trace_id}", "export_trace")
def trace_file(request: Request, session: Db, trace_id: Slug, view: Name = "") -> Response:
    """The passages of a trace in rank order; `view` as on its page: a method, or `all`. In JSON Lines a record of the results
    format."""
    page = load(request, session, jobs.find(session, trace_id), Looked(view))
    if page.answer is None or page.claim is None:
        raise NotFound("This trace has no answer yet.", remedy="Wait until it is answered.")
    name = f"trace-{page.id}"
    if kind_of(request) == "jsonl":
        record = _record(page, page.answer.completion.text)
        return download(request, name, "jsonl", jsonl_rows([record]), tag=etag(record), rows=1)
    return table(request, name, COLUMNS, _rows(page))


def _record(page: TracePage, completion: str) -> dict[str, Any]:
    record: dict[str, Any] = {
        "example_id": page.id,
        "inputs_plaintext": page.prompt,
        "targets_plaintext": completion,
    }
    for side, cards in ((PROPONENT, page.proponents), (OPPONENT, page.opponents)):
        if cards:
            record |= {
                side + rest: [getattr(card, column) for card in cards] for rest, column in LISTS.items()
            }
    return record


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
