"""`/evaluation`: methods against each other. Do their passages state the facts, and do they move the model?"""

import csv
import io
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from pydantic import BaseModel
from starlette.responses import Response

from app.evaluation.report import LABELS
from app.evaluation.types import KINDS
from app.store.runs import list_runs
from app.store.tables import Run
from app.web import charts, urls
from app.web.cards import KINDS as KIND_NAMES
from app.web.context import Db
from app.web.listing_words import bucket_name
from app.web.respond import page_route, respond

router = APIRouter()
COLUMNS = (
    "mrr",
    "recall_at_1",
    "recall_at_10",
    "precision_at_10",
    "average_precision",
    "tail_patch_1",
    "tail_patch_10",
)
CURVES = ("mrr", "tail_patch_10")


class Cell(BaseModel):
    """A mean with its 95% interval over `count` prompts, and the prompts behind it."""

    mean: float
    low: float
    high: float
    count: int
    url: str


class Row(BaseModel):
    """One run."""

    run: str
    name: str
    method: str
    model: str
    mixing: float | None
    url: str
    cells: dict[str, Cell | None]


class Table(BaseModel):
    """Numbers behind a chart: a heading, columns, rows."""

    id: str
    title: str
    note: str
    columns: list[str]
    rows: list[list[str | float | None]]
    csv_url: str


class EvaluationPage(BaseModel):
    """The page; `rows` is empty until `startrail evaluate` has run."""

    title: str = "Evaluation"
    prompt_set: str | None
    sets: dict[str, str]
    columns: dict[str, str]
    rows: list[Row]
    tables: list[Table]
    settings: dict[str, Any] | None
    csv_url: str


class Drawn(EvaluationPage):
    """The page with its charts, which the JSON twin does without."""

    charts: dict[str, Markup] = {}
    model_config = {"arbitrary_types_allowed": True}


@page_route(router, "/evaluation")
def evaluation_page(request: Request, session: Db, set: str = "") -> Response:
    """Every evaluated run of a prompt set (`set`), with intervals, by frequency, by type of passage."""
    runs = [run for run in list_runs(session) if "overall" in run.metrics]
    page = _page(runs, set)
    if request.url.path.endswith(".json"):
        return respond(request, page, "evaluation.html")
    drawn = Drawn(**page.model_dump(), charts=_charts(page))
    return respond(request, drawn, "evaluation.html")


@router.get("/evaluation.csv", include_in_schema=False)
def evaluation_csv(session: Db, set: str = "", table: str = "") -> Response:
    """The main table, or the numbers behind a chart, as CSV."""
    page = _page([run for run in list_runs(session) if "overall" in run.metrics], set)
    out = io.StringIO()
    writer = csv.writer(out)
    chosen = next((each for each in page.tables if each.id == table), None)
    if chosen:
        writer.writerow(chosen.columns)
        writer.writerows(chosen.rows)
    else:
        writer.writerow(
            ["run", *(f"{name}_{part}" for name in page.columns for part in ("mean", "low", "high", "count"))]
        )
        for row in page.rows:
            parts = [(c.mean, c.low, c.high, c.count) if c else ("",) * 4 for c in row.cells.values()]
            writer.writerow([row.run, *(value for part in parts for value in part)])
    name = f"evaluation-{chosen.id}" if chosen else "evaluation"
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _page(runs: list[Run], chosen: str) -> EvaluationPage:
    sets = list(dict.fromkeys(run.prompt_set.name for run in runs))
    chosen = chosen if chosen in sets else sets[0] if sets else ""
    own = [run for run in runs if run.prompt_set.name == chosen]
    columns = {name: LABELS[name] for name in COLUMNS if any(run.metrics["overall"].get(name) for run in own)}
    settings = next((found for run in own if (found := run.metrics.get("tail_patch_settings"))), None)
    tables = [*_by_bucket(own, chosen), *_types(own, chosen), *_trade_off(own, chosen)]
    return EvaluationPage(
        prompt_set=chosen or None,
        sets={name: urls.evaluation(set=name) for name in sets},
        columns=columns,
        rows=[_row(run, columns) for run in own],
        tables=tables,
        settings=settings,
        csv_url=urls.with_query("/evaluation.csv", {"set": chosen}),
    )


def _row(run: Run, columns: dict[str, str]) -> Row:
    overall, task = run.metrics["overall"], run.metrics.get("task", "fact")
    prompts = urls.run(run.slug, task=task)
    return Row(
        run=run.slug,
        name=run.name,
        method=run.method,
        model=run.model.name,
        mixing=_mixing(run),
        url=urls.run(run.slug),
        cells={name: Cell(**overall[name], url=prompts) if overall.get(name) else None for name in columns},
    )


def _mixing(run: Run) -> float | None:
    hessian = run.configuration.get("hessian")
    return hessian.get("mixing") if isinstance(hessian, dict) else None


def _by_bucket(runs: list[Run], chosen: str) -> list[Table]:
    tables = []
    for metric in CURVES:
        rows: list[list[str | float | None]] = []
        for run in runs:
            for bucket, measured in run.metrics["slices"].get("bucket", {}).items():
                if found := measured.get(metric):
                    rows.append(
                        [
                            run.name,
                            bucket_name(bucket),
                            found["mean"],
                            found["low"],
                            found["high"],
                            found["count"],
                        ]
                    )
        if rows:
            id_ = f"{metric}-by-frequency"
            note = "How often the corpus states the fact."
            heads = ["run", "stated", LABELS[metric], "low", "high", "prompts"]
            tables.append(_table(id_, f"{LABELS[metric]} by frequency", note, heads, rows, chosen))
    return tables


def _types(runs: list[Run], chosen: str) -> list[Table]:
    tables = []
    for run in runs:
        ranks = run.metrics.get("types") or []
        if ranks:
            rows: list[list[str | float | None]] = [
                [str(rank), *(counts.get(kind, 0) for kind in KINDS)] for rank, counts in enumerate(ranks, 1)
            ]
            heads = ["rank", *(KIND_NAMES[kind] for kind in KINDS)]
            note = "What the passages at each rank have to do with the fact."
            tables.append(
                _table(f"types-{run.slug}", f"Types of passages: {run.name}", note, heads, rows, chosen)
            )
    return tables


def _trade_off(runs: list[Run], chosen: str) -> list[Table]:
    """MRR and tail-patch over λ, where runs differ in it."""
    points = {
        _mixing(run): run for run in runs if _mixing(run) is not None and run.method.startswith("trackstar")
    }
    if len(points) < 3:
        return []
    rows: list[list[str | float | None]] = []
    for mixing, run in sorted(points.items(), key=lambda item: item[0] or 0.0):
        values = [run.metrics["overall"].get(name) for name in CURVES]
        rows.append([f"{mixing:g}", *(value["mean"] if value else None for value in values)])
    note = "λ weighs the task's Hessian against the corpus's: 0 is the corpus alone."
    heads = ["λ", *(LABELS[name] for name in CURVES)]
    return [_table("trade-off", "The trade-off over λ", note, heads, rows, chosen)]


def _table(
    id_: str, title: str, note: str, columns: list[str], rows: list[list[str | float | None]], chosen: str
) -> Table:
    link = urls.with_query("/evaluation.csv", {"set": chosen, "table": id_})
    return Table(id=id_, title=title, note=note, columns=columns, rows=rows, csv_url=link)


def _charts(page: EvaluationPage) -> dict[str, Markup]:
    drawn: dict[str, Markup] = {}
    points = [
        charts.Point(row.name, x.mean, y.mean, (x.low, x.high), (y.low, y.high))
        for row in page.rows
        if (x := row.cells.get("mrr")) and (y := row.cells.get("tail_patch_10"))
    ]
    if points:
        drawn["scatter"] = charts.scatter(
            points,
            "MRR: its passages state the fact",
            "tail-patch@10: they move the model (pp)",
            "Attribution against influence, one point for every run",
        )
    for table in page.tables:
        if table.id.endswith("-by-frequency"):
            series: dict[str, list[tuple[str, float, tuple[float, float] | None]]] = {}
            for run, bucket, mean, low, high, _ in table.rows:
                point = (str(bucket), _number(mean), (_number(low), _number(high)))
                series.setdefault(str(run), []).append(point)
            drawn[table.id] = charts.lines(series, table.columns[2], table.title)
        elif table.id.startswith("types-"):
            bars = [
                (str(row[0]), {name: _number(v) for name, v in zip(table.columns[1:], row[1:], strict=True)})
                for row in table.rows
            ]
            drawn[table.id] = charts.stacked_bars(bars, table.columns[1:], table.title)
        elif table.id == "trade-off":
            for at, name in enumerate(table.columns[1:], 1):
                values = [(str(row[0]), _number(row[at]), None) for row in table.rows if row[at] is not None]
                drawn[f"trade-off-{at}"] = charts.lines({name: values}, name, f"{name} over λ")
    return drawn


def _number(value: str | float | None) -> float:
    return float(value or 0.0)
