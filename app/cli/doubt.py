"""`startrail doubt`: how much of a run's lists would come again by another random projection."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `doubt`."""
    app.command(name="doubt", help=doubt.__doc__)(doubt)


def doubt(run: Annotated[str, typer.Argument(help="A run that an index's own method made.")]) -> None:
    """How firm a run's lists are: which passages come first by either half of the random projection, and by both.

    Two halves of the index stand for two seeds, so nothing is encoded again. The figures are saved with the run.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar
    from app.runs.inputs import inputs_of
    from app.runs.seed_agreement import FIRST, measure_agreement
    from app.store.runs import get_run

    settings = get_settings()
    store = open_store(settings.url)
    with store.session() as session:
        found = get_run(session, run)
        inputs = inputs_of(session, settings, found)
        with bar("Ranking by halves") as step:
            told = measure_agreement(session, inputs, found, step)
    typer.echo(f"Over {told.prompts:,} prompts of “{found.prompt_set.name}”, of the first {FIRST} passages:")
    rows: list[tuple[str, float | None]] = [
        ("two halves of the projection share", told.overlap),
        ("come first by both halves", told.both),
        ("… of those that state the fact", told.stating),
        ("… of all others judged", told.others),
    ]
    for label, share in rows:
        if share is not None:
            typer.echo(f"  {label:<38} {100 * share:4.0f} %")
