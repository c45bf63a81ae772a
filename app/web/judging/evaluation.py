"""`/evaluation`: methods against each other. Do their passages state the facts, and do they move the model?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.errors import NotFound
from app.evaluation.curves import ordered
from app.evaluation.text_tables import ais_said, date_lm_said
from app.store.evaluations import evaluated, evaluated_tasks
from app.store.runs import list_runs
from app.store.tables import Run
from app.web.judging.evaluation_figures import of_runs
from app.web.judging.evaluation_lines import Evaluated, patched_by
from app.web.judging.figures import Cell, EvaluationQuery, Figure, cell, figure_prompts_url
from app.web.site import urls
from app.web.site.context import Db
from app.web.site.links import PageUrl
from app.web.site.params import LONGEST, Name, Plain, RunName, Short
from app.web.site.respond import respond
from app.web.site.routing import page_route
from app.web.site.tables import table, table_route
from app.words.answers import SAID
from app.words.measures import COMPARED, DATE_LM, INFLUENCE, LABELS, SHOWN_BY_AIS, are_judged, columns_of
from app.words.methods import is_swept, leading
from app.words.slices import EVALUATED
from app.words.tasks import task_name, task_noun, task_place

router = APIRouter()
ANY = "*"  # asks for the runs of every model in one table
DRAWN = 6  # runs that a chart with one series a run shows, if nobody chooses


class Option(BaseModel):
    """One way to see the page."""

    value: str
    label: str
    url: PageUrl
    chosen: bool


class RunRow(BaseModel):
    """One run; `cells` by measure."""

    run: str
    name: str
    method: str
    model: str
    url: PageUrl
    drawn: bool
    cells: dict[str, Cell | None]
    tail_patch_settings: dict[str, Any] | None


class EvaluationPage(BaseModel):
    """The page; `rows` is empty until `startrail evaluate` has run."""

    title: str = "Evaluation"
    asked: EvaluationQuery
    sets: list[Option]
    tasks: list[Option]
    slices: list[Option]
    models: list[Option]
    several_models: bool
    columns: dict[str, str]
    rows: list[RunRow]
    against: str | None
    against_run: str | None
    difference_columns: dict[str, str]
    differences: list[RunRow]
    figures: list[Figure]
    over: str  # which prompts, how many, and what of each is explained
    patched: str
    by_ais: str
    by_date_lm: str
    unevaluated: list[str]
    csv_url: str


def _asked(
    set: Name = "",
    task: Name = "fact",
    model: Name = "",
    run: Annotated[tuple[Short, ...], Query(max_length=100)] = (),
    against: RunName = "",
    by: Name = "bucket",
) -> EvaluationQuery:
    return EvaluationQuery(
        set=set,
        task=task,
        model=model,
        run=tuple(dict.fromkeys(run)),
        against=against,
        by=by if by in EVALUATED else "bucket",
    )


Part = Annotated[
    Plain, Query(alias="table", max_length=LONGEST, description="differences, or the id of a chart")
]
AskedQuery = Annotated[EvaluationQuery, Depends(_asked)]


@page_route(router, "/evaluation", EvaluationPage, "get_evaluation")
def evaluation_page(request: Request, session: Db, asked: AskedQuery) -> Response:
    """Every evaluated run of a prompt set (`set`) on a `task` with a `model` (`*`: any): measures with intervals,
    differences from one run (`against`), and charts of the runs chosen (`run`) by a slice (`by`)."""
    return respond(request, _page(session, asked), "evaluation.html")


@table_route(router, "/evaluation", "export_evaluation")
def evaluation_file(request: Request, session: Db, asked: AskedQuery, part: Part = "") -> Response:
    """The main table, the differences, or the numbers behind a chart."""
    page = _page(session, asked)
    if part in ("", "differences"):
        names = page.difference_columns if part else page.columns
        rows = [_flat(row, names) for row in (page.differences if part else page.rows)]
        columns = ["run", "method", "model", *(f"{name}_{part}" for name in names for part in PARTS)]
        columns += [f"tail_patch_{name}" for name in SETTINGS]
    else:
        figure = next((each for each in page.figures if each.id == part), None)
        if figure is None:
            ids = ", ".join(each.id for each in page.figures) or "none"
            raise NotFound(f"There is no table “{part}” here.", remedy=f"There are: {ids}.")
        columns = _distinct(figure.columns)
        rows = [dict(zip(columns, row, strict=True)) for row in figure.rows]
    return table(request, f"evaluation-{part}" if part else "evaluation", columns, rows)


PARTS = ("mean", "low", "high", "count")
SETTINGS = ("optimizer", "learning_rate", "steps")


def _page(session: Session, asked: EvaluationQuery) -> EvaluationPage:
    known = evaluated_tasks(session)
    tasks = sorted({task for tasks in known.values() for task in tasks}, key=task_place)
    if asked.task == EvaluationQuery().task and tasks and asked.task not in tasks:
        asked = asked.model_copy(update={"task": tasks[0]})
    found = [
        (run, figures) for run, figures in evaluated(session, asked.task) if are_judged(figures["overall"])
    ]
    sets = list(dict.fromkeys(run.prompt_set.name for run, _ in found))
    asked = asked.model_copy(update={"set": asked.set if asked.set in sets else sets[0] if sets else ""})
    figures_of = {run.id: figures for run, figures in found if run.prompt_set.name == asked.set}
    every = [(run, figures_of[run.id]) for run in ordered(run for run, _ in found if run.id in figures_of)]
    models = [name for name, _ in Counter(run.model.name for run, _ in every).most_common()]
    asked = asked.model_copy(update={"model": asked.model if asked.model in (ANY, *models) else ""})
    model = asked.model or next(iter(models), "")
    own = [each for each in every if model in (ANY, each[0].model.name)]
    drawn = _drawn(own, asked)
    main = [each for each in own if not is_swept(each[0].method)]
    reference = _reference(own, asked.against)
    names = columns_of([each["overall"] for _, each in main])
    measured = [(run, each) for run, each in main if any(name in each["overall"] for name in INFLUENCE)]
    figures = of_runs(own, drawn, every, asked)
    for each in figures:
        each.csv_url = urls.twin(asked.url(table=each.id), "csv")
    everything = list_runs(session)
    return EvaluationPage(
        asked=asked,
        sets=_choices(sets, asked.set, lambda name: asked.url(set=name, model="", run=(), against="")),
        tasks=[
            Option(value=task, label=task_name(task), url=asked.url(task=task), chosen=task == asked.task)
            for task in tasks
        ],
        slices=[
            Option(value=by, label=parts.way, url=asked.url(by=by) + "#slices", chosen=by == asked.by)
            for by, parts in EVALUATED.items()
            if any(each["slices"].get(by) for _, each in own)
        ],
        models=[
            Option(
                value=name,
                label="every model" if name == ANY else name,
                url=asked.url(model="" if name == models[0] else name, run=(), against=""),
                chosen=name == model,
            )
            for name in ([*models, ANY] if len(models) > 1 else models)
        ],
        several_models=model == ANY,
        columns={name: LABELS[name] for name in names},
        rows=[_row(run, each, names, asked, drawn) for run, each in main],
        against=reference.name if reference else None,
        against_run=reference.slug if reference else None,
        difference_columns={name: LABELS[name] for name in COMPARED if name in names} if reference else {},
        differences=_differences(main, reference, asked) if reference else [],
        figures=figures,
        over=population(main, asked) if main else "",
        patched=patched_by([run for run, _ in measured], [each for _, each in measured]),
        by_ais=ais_said(run.metrics for run, _ in main) if any(n in SHOWN_BY_AIS for n in names) else "",
        by_date_lm=date_lm_said({run.name: each for run, each in main})
        if any(name in DATE_LM for name in names)
        else "",
        unevaluated=[run.slug for run in everything if run.id not in known and run.status == "done"],
        csv_url=urls.twin(asked.url(), "csv"),
    )


def population(runs: Sequence[Evaluated], asked: EvaluationQuery) -> str:
    """One sentence about what the figures of the runs are over: a figure alone says nothing of its population."""
    counts = {each["prompts"] for _, each in runs}
    number = " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))
    said = [run.name for run, _ in runs if run.explains == SAID]
    kind = (
        "what the model said"
        if len(said) == len(runs)
        else "their targets, whether the model said them or not"
    )
    some = f" (of {', '.join(said)}: what the model said)" if 0 < len(said) < len(runs) else ""
    return (
        f"Over {number} {task_noun(asked.task)} of {asked.set}; the passages are those behind {kind}{some}."
    )


def _choices(names: Iterable[str], chosen: str, url: Any) -> list[Option]:
    return [Option(value=name, label=name, url=url(name), chosen=name == chosen) for name in names]


def _drawn(runs: Sequence[Evaluated], asked: EvaluationQuery) -> list[Evaluated]:
    """The runs that charts show: those asked for, else a few that tell most."""
    if wanted := [each for each in runs if each[0].slug in asked.run]:
        return wanted
    first = [next((e for e in runs if e[0].method == method), None) for method in leading()]
    rest = [each for each in runs if not is_swept(each[0].method)]
    few = list(dict.fromkeys(run.id for run, _ in filter(None, [*first, *rest])))[:DRAWN]
    return [each for each in runs if each[0].id in few]


def _reference(runs: Sequence[Evaluated], slug: str) -> Run | None:
    """The run all others are compared with: the one asked for, else the first baseline."""
    asked = next((run for run, _ in runs if run.slug == slug), None)
    return asked or (runs[0][0] if len(runs) > 1 else None)


def _row(
    run: Run,
    figures: dict[str, Any],
    names: Sequence[str],
    asked: EvaluationQuery,
    drawn: Sequence[Evaluated],
) -> RunRow:
    cells = {
        name: cell(figures["overall"].get(name), figure_prompts_url(run, asked.task, name)) for name in names
    }
    return _of(run, cells, any(run.id == each.id for each, _ in drawn))


def _differences(runs: Sequence[Evaluated], reference: Run, asked: EvaluationQuery) -> list[RunRow]:
    rows = []
    for run, figures in runs:
        if (found := figures["against"].get(reference.slug)) and run.id != reference.id:
            links = {
                name: figure_prompts_url(run, asked.task, name, against=reference.slug) for name in found
            }
            rows.append(
                _of(run, {name: cell(found[name], links[name]) for name in COMPARED if name in found}, False)
            )
    return rows


def _of(run: Run, cells: dict[str, Cell | None], drawn: bool) -> RunRow:
    return RunRow(
        run=run.slug,
        name=run.name,
        method=run.method,
        model=run.model.name,
        url=urls.run(run.slug),
        drawn=drawn,
        cells=cells,
        tail_patch_settings=run.metrics.get("tail_patch_settings"),
    )


def _flat(row: RunRow, names: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"run": row.run, "method": row.method, "model": row.model}
    for name in names:
        if own := row.cells.get(name):
            found |= {f"{name}_{part}": getattr(own, part) for part in PARTS}
    return found | {f"tail_patch_{name}": value for name, value in (row.tail_patch_settings or {}).items()}


def _distinct(columns: Sequence[str]) -> list[str]:
    """Column names with the name of the mean before those of its interval, where a table has two intervals."""
    names: list[str] = []
    for column in columns:
        before = next((each for each in reversed(names) if each not in ("low", "high")), "")
        names.append(f"{before} {column}" if column in names else column or "letter")
    return names
