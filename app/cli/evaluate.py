"""`startrail evaluate`: do a run's passages state the facts, and do they move the model?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.errors import UserError
from app.settings import Settings, get_settings

if TYPE_CHECKING:
    from app.store.engine import Store
    from app.store.tables import Run

SHOWN = ("mrr", "recall_at_10", "precision_at_10", "tail_patch_1", "tail_patch_10")


def register(app: typer.Typer) -> None:
    """Add `evaluate`."""
    app.command(name="evaluate", help=evaluate.__doc__)(evaluate)


def evaluate(
    runs: Annotated[str, typer.Option(help="Runs by name, separated by commas; default all.")] = "",
    task: Annotated[str, typer.Option(help="The prompts that are evaluated.")] = "fact",
    tail_patch: Annotated[
        int,
        typer.Option(min=0, help="Measure the tail-patch of the first N proponents; 0 leaves it as it is."),
    ] = 0,
    prompts: Annotated[
        int | None, typer.Option(min=1, help="Measure it for so many prompts, drawn at random; default all.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write every figure as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table as Markdown.")] = None,
) -> None:
    """Evaluate runs: MRR, recall and precision with 95% intervals, types of passages, tail-patch if asked for.

    What is measured is saved with the runs and shown at /evaluation. Stopped, it goes on where it was.
    """
    from app.cli.progress import bar
    from app.evaluation.classify import classify_run
    from app.evaluation.report import evaluate_run
    from app.store.engine import open_store
    from app.store.runs import get_run, list_runs

    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        names = [name.strip() for name in runs.split(",") if name.strip()]
        chosen = [get_run(session, name) for name in names] if names else list_runs(session)
    if not chosen:
        raise UserError("There is no run to evaluate.", remedy="Make one with `startrail retrieve`.")
    for run in chosen:
        with store.session() as session, bar(f"Types of {run.slug}") as step:
            classify_run(session, run, step)
        if tail_patch:
            _patch(settings, store, run, tail_patch, prompts)
    figures: dict[str, dict[str, Any]] = {}
    for run in chosen:
        with store.session() as session:
            figures[run.slug] = {
                "name": run.name,
                **evaluate_run(session, get_run(session, run.slug), task=task),
            }
    _print(figures)
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if markdown:
        markdown.write_text(as_markdown(figures), encoding="utf-8")


def _patch(settings: Settings, store: "Store", run: "Run", k: int, prompts: int | None) -> None:
    from app.cli.progress import bar, errors
    from app.evaluation.patching import patch_run
    from app.trackstar.model import load_model
    from app.trackstar.tailpatch import TailPatch

    if run.model.path is None:
        errors.print(f"{run.slug}: its model is not here, so no tail-patch is measured.")
        return
    patch = TailPatch(load_model(Path(run.model.path), device=settings.device))
    with bar(f"Tail-patch of {run.slug}") as step:
        patch_run(store, run, patch, k=k, prompts=prompts, progress=step)


def _print(figures: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    from app.cli.progress import console
    from app.evaluation.report import LABELS

    table = Table(title="Mean [95% interval]", title_justify="left")
    table.add_column("run")
    for name in SHOWN:
        table.add_column(LABELS[name], justify="right")
    for each in figures.values():
        table.add_row(each["name"], *(_cell(each["overall"].get(name)) for name in SHOWN))
    console.print(table)
    for each in figures.values():
        if settings := each.get("tail_patch_settings"):
            console.print(
                f"Tail-patch: {settings['steps']} step of {settings['optimizer']} at learning rate"
                f" {settings['learning_rate']:g}, percentage points of the target's probability."
            )
            break


def as_markdown(figures: dict[str, dict[str, Any]]) -> str:
    """The table as Markdown."""
    from app.evaluation.report import LABELS

    lines = ["| run | " + " | ".join(LABELS[name] for name in SHOWN) + " |", "|---|" + "---:|" * len(SHOWN)]
    for each in figures.values():
        cells = (_cell(each["overall"].get(name)) for name in SHOWN)
        lines.append(f"| {each['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: dict[str, float] | None) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" if value else "–"
