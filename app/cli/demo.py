"""`startrail demo`: the embedded world, built by the commands that real data goes through, then served."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.serve import HOST_HELP, run_site
from app.settings import get_settings

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store.engine import Store


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command(name="demo", help=demo.__doc__)(demo)


def demo(
    build_only: Annotated[
        bool, typer.Option("--build-only", help="Build, print the figures, do not serve.")
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Pretrain the model again first (10 to 25 minutes on 2 cores).")
    ] = False,
    real: Annotated[
        bool,
        typer.Option(
            "--real",
            help="SmolLM2-135M, fine-tuned on a country that does not exist, in place of the small world.",
        ),
    ] = False,
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Build the demo world in STARTRAIL_HOME and serve it.

    A small language model pretrained on 18,000 passages of facts, causes, arithmetic and stories; the model's
    answers to 1,000 prompts; TrackStar's and BM25's passages for each, evaluated. What is there already is not built
    again.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar
    from app.runs.demo_world import build_demo, shipped_files
    from app.runs.pretraining import demo_files_anew

    settings = get_settings()
    if real:
        _serve_real(settings, build_only, host, port)
        return
    files = demo_files_anew(settings, bar) if retrain else shipped_files()
    started = time.monotonic()
    store = open_store(settings.url, migrate=True)
    build_demo(settings, store, files, bar)
    _figures(store, time.monotonic() - started)
    if not build_only:
        run_site(host, port, worker=True)


def _serve_real(settings: "Settings", build_only: bool, host: str, port: int) -> None:
    from app.cli.progress import bar, console
    from app.cli.retrieve import show_standings
    from app.evaluation.standing import standings
    from app.runs.invented_home import METHODS, build_invented
    from app.store.runs import list_runs
    from app.words.invented import GENERAL

    started = time.monotonic()
    store = build_invented(settings, bar)
    with store.session() as session:
        runs = [run for run in list_runs(session) if run.slug in METHODS]
        show_standings(standings(session, runs, task="fact"))
        passages = runs[0].corpus.passage_count
    console.print(
        f"Answers are traced to the {passages:,} passages about Orvella; {GENERAL} general ones, on which the model was tuned"
        " as well to keep what it knew, are not traced."
    )
    console.print(f"[green]✓[/] Orvella is ready ({time.monotonic() - started:.0f} s).")
    if not build_only:
        run_site(host, port, worker=True)


def _figures(store: "Store", seconds: float) -> None:
    """What the model answers right, and where the passages that state a fact come."""
    from rich.table import Table

    from app.cli.progress import console
    from app.cli.retrieve import show_standings
    from app.evaluation.standing import standings
    from app.runs.demo_world import METHODS, PATCHED, right_by_kind
    from app.store.runs import list_runs

    with store.session() as session:
        right = right_by_kind(session)
        table = Table(title="What the demo model answers right", title_justify="left")
        for heading in ("prompts", "right", "of"):
            table.add_column(heading, justify="left" if heading == "prompts" else "right")
        for name, own in right.items():
            table.add_row(name, f"{sum(own) / len(own):.3f}", f"{len(own):,}")
        console.print(table)
        runs = [run for run in list_runs(session) if run.slug in METHODS]
        show_standings(standings(session, runs, task="fact"))
        moved = {
            run.name: run.metrics["tail_patch"] for run in runs if run.metrics.get("tail_patch") is not None
        }
    if moved:
        facts = min(PATCHED, sum(len(own) for name, own in right.items() if name.startswith("facts")))
        console.print(
            f"One training step on each of the first ten passages of {facts} facts, drawn at random, makes their answers"
            f" likelier by {' and '.join(f'{mean:.1f} points ({name})' for name, mean in moved.items())}."
        )
    console.print(f"[green]✓[/] The demo world is ready ({seconds:.0f} s).")
