"""Tables as files in each form that people take them in: CSV for spreadsheets, JSON Lines and Parquet for programs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.interchange.parquet import table_parquet
from app.web.site.budgets import exporting
from app.web.site.downloads import download, etag
from app.web.site.export_rows import csv_rows, jsonl_rows
from app.web.site.routing import Endpoint, file_route

KINDS = ("csv", "jsonl", "parquet")


def table_route(
    router: APIRouter, path: str, operation: str, kinds: Sequence[str] = KINDS, statuses: Sequence[int] = ()
) -> Callable[[Endpoint], Endpoint]:
    """Register one endpoint for a table's files: `path` with each suffix; `kind_of` tells it which was asked for.

    Args:
        statuses: of the problems that it may answer besides those of every file.
    """

    def register(endpoint: Endpoint) -> Endpoint:
        for kind in kinds:
            made = file_route(
                router,
                f"{path}.{kind}",
                f"{operation}_{kind}",
                dependencies=[Depends(exporting)],
                statuses=statuses,
            )
            made(endpoint)
        return endpoint

    return register


def kind_of(request: Request) -> str:
    """Which form of a file was asked for: its suffix."""
    return request.url.path.rpartition(".")[2]


def table(request: Request, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Response:
    """Rows that are all there as the file that was asked for."""
    kind = kind_of(request)
    types = {column: _type(rows, column) if kind == "parquet" else str for column in columns}
    return streamed_table(request, name, types, rows, tag=etag(kind, columns, rows), count=len(rows))


def streamed_table(
    request: Request,
    name: str,
    columns: Mapping[str, type],
    rows: Iterable[Mapping[str, Any]],
    *,
    tag: str,
    count: int,
) -> Response:
    """Rows that come one after the other as the file that was asked for.

    Args:
        columns: name -> `str`, `int`, `float` or `bool`, which only Parquet asks.
        tag, count: see `download`.
    """
    kind = kind_of(request)
    chunks = {
        "csv": lambda: csv_rows(list(columns), rows),
        "jsonl": lambda: jsonl_rows({column: row.get(column) for column in columns} for row in rows),
        "parquet": lambda: table_parquet(rows, columns),
    }[kind]()
    return download(request, name, kind, chunks, tag=tag, rows=count)


def _type(rows: Sequence[Mapping[str, Any]], column: str) -> type:
    """What a column holds; text where it holds several things, or none."""
    kinds = {type(value) for row in rows if (value := row.get(column)) is not None}
    if kinds == {int, float}:
        return float
    return kinds.pop() if len(kinds) == 1 and kinds <= {str, int, float, bool} else str
