"""A trace as a file: its passages as a table, for and against, as its page shows them; or one record that `import` takes."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import UserError
from app.store import jobs
from app.web.asking.trace import TracePage, load
from app.web.asking.trace_answer import Looked
from app.web.asking.trace_cards import Column
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
    "side", "rank", "method", "score", "before", "after", "passage_id", "external_id", "text", "chance_floor", "explains",
    "explained", "contrast", "correct",
)  # fmt: skip


@table_route(router, "/traces/{trace_id}", "export_trace", statuses=(409,))
def trace_file(request: Request, session: Db, trace_id: Slug, view: Name = "") -> Response:
    """The passages of a trace in rank order; `view` as on its page: a method, or `all`. In JSON Lines a record of the results
    format."""
    page = load(request, session, jobs.find(session, trace_id), Looked(view))
    if page.answer is None or page.claim is None:
        raise UserError("This trace has no answer yet.", remedy="Wait until it is answered.", status=409)
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
    return record | _of_all(page)


def _of_all(page: TracePage) -> dict[str, Any]:
    """What is known of the answer and of its list as a whole, under the names that results files have for it."""
    known: dict[str, Any] = {"explains": page.explains}
    if page.correct is not None:
        known["is_8b_correct"] = page.correct
    if page.answer and page.answer.contrast:
        known["contrast"] = page.answer.contrast.text
    if page.standing and page.standing.chance:
        known |= {"chance_floor": page.chance_floor, "above_chance": page.above_chance}
        known["chance"] = page.standing.chance.as_dict()
    return known


def _rows(page: TracePage) -> list[dict[str, Any]]:
    columns = page.answer.columns if page.answer else []
    listed = [(each, PROPONENT, card) for each in columns for card in each.proponents]
    if len(columns) == 1:
        listed += [(columns[0], OPPONENT, card) for card in page.opponents]
    claim = page.claim
    of_all = {
        "explains": page.explains,
        "explained": claim.said.strip() if claim else "",
        "contrast": claim.contrast if claim else None,
        "correct": page.correct,
    }
    return [{**_row(column, side, card), **of_all} for column, side, card in listed]


def _row(column: Column, side: str, card: Card) -> dict[str, Any]:
    own = {name: getattr(card, name) for name in COLUMNS if name in Card.model_fields}
    chance = column.standing.chance
    floor = chance and (chance.floor if side == PROPONENT else chance.opponent_floor)
    return {**own, "side": side, "method": column.name, "chance_floor": floor}
