"""Pages as files: an example's passages and the browsed list, as CSV, Parquet, and JSON Lines in the paper's format.

`/runs/{run}/prompts/{prompt}.csv` and `.parquet` hold every passage of the page's side, not its first twenty, `.jsonl` the
record; `/prompts.csv?…` every prompt that the filters leave, in the list's order, not one page of it, `.jsonl` and `.parquet`
their records.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound
from app.interchange.parquet import results_parquet
from app.interchange.results import example_record, example_records
from app.interchange.results_fields import RETRIEVED
from app.store import browse
from app.store.engine import Store
from app.store.examples import Example, get_example
from app.store.runs import get_run, list_runs
from app.store.tables import Run
from app.tracing.explained import asked_of, explains_of
from app.web.browsing.list_query import AskedQuery, ListQuery
from app.web.site.budgets import exporting
from app.web.site.context import Db
from app.web.site.downloads import download, etag
from app.web.site.export_rows import csv_rows, jsonl_rows
from app.web.site.params import Explains, RunName, Side, Slug
from app.web.site.routing import file_route
from app.web.site.tables import kind_of, table, table_route
from app.words.answers import SAID
from app.words.chance import read_chance

Make = Callable[[Session, Run, Sequence[browse.ListedResult]], Iterable[dict[str, Any]]]

router = APIRouter()
EXPORT = [Depends(exporting)]
BATCH = 100  # rows made together: a few queries for all of them, and as long as a page may have to wait for Python
MOST = 100_000  # passages of one example
RESULT_COLUMNS = (
    "top_score", "first_correct_rank", "best_ais", "tail_patch", "chance_floor", "above_chance",
)  # fmt: skip
LIST_COLUMNS = (
    "example_id", "slug", "task", "relation", "prompt", "target", "ground_truth", "frequency", "frequency_bucket",
    "answer", "correct", "probability", "said_probability", "confidence", "explains", *RESULT_COLUMNS,
)  # fmt: skip
PASSAGE_COLUMNS = (
    "side", "rank", *RETRIEVED, "passage_id", "external_id", "text", "chance_floor", "explains", "explained",
    "contrast",
)  # fmt: skip


@table_route(router, "/runs/{slug}/prompts/{prompt}", "export_example", ("csv", "parquet"))
def example_passages(
    request: Request,
    session: Db,
    slug: Slug,
    prompt: Slug,
    side: Side = "proponent",
    explains: Explains = SAID,
) -> Response:
    """The passages of one example in rank order; side=opponent for the other side, as on the page."""
    run = get_run(session, slug)
    example = get_example(session, run, prompt, side, limit=MOST, explains=explains)
    rows = [_passage(example, number) for number in range(len(example.retrieved))]
    name = f"{example.run.slug}-{example.prompt.slug}"
    return table(request, name, PASSAGE_COLUMNS, rows)


@file_route(router, "/runs/{slug}/prompts/{prompt}.jsonl", "export_example_jsonl", dependencies=EXPORT)
def example_jsonl(
    request: Request, session: Db, slug: Slug, prompt: Slug, explains: Explains = SAID
) -> Response:
    """One example as a record of the paper's results format, both sides."""
    run = get_run(session, slug)
    example = get_example(session, run, prompt, "proponent", limit=0, explains=explains)
    record = example_record(session, example.run, example.result)
    name = f"{example.run.slug}-{example.prompt.slug}"
    return download(request, name, "jsonl", jsonl_rows([record]), tag=etag(record), rows=1)


@table_route(router, "/prompts", "export_prompts")
def list_file(request: Request, session: Db, asked: AskedQuery, run: RunName = "") -> Response:
    """Every prompt that the filters leave: one a row in CSV, else with its passages in the results format."""
    return _list(request, session, asked, run)


@table_route(router, "/runs/{slug}", "export_run")
def run_file(request: Request, session: Db, asked: AskedQuery, slug: Slug) -> Response:
    """A run as a results file; with filters, those examples of it. In CSV one prompt a row, without passages."""
    return _list(request, session, asked, slug)


def _list(request: Request, session: Db, asked: ListQuery, run: str) -> Response:
    kind = kind_of(request)
    runs = [each for each in list_runs(session) if each.status == "done"]
    if not runs:
        raise NotFound("There is no run to export.", remedy="Load a results file first.")
    chosen = get_run(session, run) if run else runs[0]
    listing = browse.listed(session, chosen, asked.filters(), asked.sort, most=None)
    tag = etag(kind, chosen.slug, chosen.finished_at, chosen.metrics, asked.query(), len(listing))
    store: Store = request.app.state.store
    rows = _batches(store, listing, _summaries if kind == "csv" else _records)
    chunks = {
        "csv": lambda: csv_rows(LIST_COLUMNS, rows),
        "jsonl": lambda: jsonl_rows(rows),
        "parquet": lambda: results_parquet(rows),
    }[kind]()
    name = f"{chosen.slug}-prompts" if asked.query() else chosen.slug
    return download(request, name, kind, chunks, tag=tag, rows=len(listing))


def _batches(store: Store, listing: browse.PromptList, make: Make) -> Iterator[dict[str, Any]]:
    """Rows of the whole list, a batch at a time, each batch in a session of its own."""
    for start in range(0, len(listing), BATCH):
        with store.session() as session:
            run = get_run(session, listing.run.slug)
            made = list(make(session, run, browse.read(session, listing, start, start + BATCH)))
        yield from made


def _summaries(_: Session, run: Run, rows: Sequence[browse.ListedResult]) -> Iterator[dict[str, Any]]:
    return (_summary(run, row) for row in rows)


def _summary(run: Run, row: browse.ListedResult) -> dict[str, Any]:
    prompt, result, output = row.prompt, row.result, row.output
    sources = (
        (prompt, ("slug", "task", "relation", "target", "ground_truth", "frequency", "frequency_bucket")),
        (output, ("answer", "correct", "probability", "said_probability", "confidence")),
        (result, RESULT_COLUMNS),
    )
    values = {name: getattr(source, name, None) for source, names in sources for name in names}
    explains = explains_of(run.explains, output)
    return {"example_id": prompt.external_id, "prompt": prompt.text, "explains": explains, **values}


def _records(session: Session, run: Run, rows: Sequence[browse.ListedResult]) -> Iterator[dict[str, Any]]:
    return example_records(session, run, [row.result for row in rows])


def _passage(example: Example, number: int) -> dict[str, Any]:
    row = example.retrieved[number]
    own = {name: getattr(row, name) for name in ("side", "rank", *RETRIEVED, "passage_id")}
    chance = read_chance(example.result.chance)
    floor = chance and (chance.floor if row.side == "proponent" else chance.opponent_floor)
    explains = explains_of(example.run.explains, example.output)
    explained = asked_of(example.run.explains, example.prompt, example.output).explained.strip()
    of_all = {"chance_floor": floor, "explains": explains, "explained": explained}
    of_all["contrast"] = example.result.contrast
    return {**own, "external_id": row.passage.external_id, "text": row.passage.text, **of_all}
