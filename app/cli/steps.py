"""`startrail steps`: training steps taken ahead, so that a run's pages open with them."""

from pathlib import Path
from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `steps`."""
    app.command(name="steps", help=steps.__doc__)(steps)


def steps(
    runs: Annotated[str, typer.Argument(help="Runs by name, separated by commas, of one index.")],
    per_task: Annotated[
        int, typer.Option(min=1, help="Prompts of each task, drawn at random, the same for every run.")
    ] = 40,
    load: Annotated[
        Path | None, typer.Option(metavar="FILE", help="First keep the steps of this file, see --save.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write these prompts' steps, for others with this model and corpus."
        ),
    ] = None,
) -> None:
    """Take the training steps that the pages of a run's prompts show, before anybody opens them: of the prompts on the
    front page, and of some of each task.

    Without it they are taken when a page is first opened. What was taken is kept and never taken again.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar
    from app.runs.ready_steps import make_ready

    settings = get_settings()
    store = open_store(settings.url)
    names = [name.strip() for name in runs.split(",") if name.strip()]
    taken, loaded = make_ready(settings, store, names, per_task=per_task, load=load, save=save, bar=bar)
    typer.echo(f"{taken:,} steps taken{f', {loaded:,} read' if load else ''}.")
