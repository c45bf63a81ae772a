"""`startrail steps`: training steps taken ahead, so that a run's pages open with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.errors import UserError
from app.settings import Settings, get_settings

if TYPE_CHECKING:
    from app.store.engine import Store


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
    """Take the training steps that the pages of a run's prompts show, before anybody opens them.

    Without it they are taken when a page is first opened. What was taken is kept and never taken again.
    """
    settings = get_settings()
    if save is not None and not save.absolute().parent.is_dir():
        raise UserError("The folder does not exist.", file=save, remedy="Make it first.")
    names = [name.strip() for name in runs.split(",") if name.strip()]
    from app.store.engine import open_store

    store = open_store(settings.url)
    taken, loaded = make_ready(settings, store, names, per_task=per_task, load=load, save=save)
    typer.echo(f"{taken:,} steps taken{f', {loaded:,} read' if load else ''}.")


def make_ready(
    settings: Settings,
    store: "Store",
    runs: list[str],
    *,
    per_task: int,
    load: Path | None = None,
    save: Path | None = None,
) -> tuple[int, int]:
    """The steps of these runs, taken or read; returns how many were taken and how many read.

    Raises:
        UserError: a run was made without an index, or the index or the file cannot be read.
    """
    from app.cli.progress import bar
    from app.interchange.steps_file import read_steps, write_steps
    from app.store.corpora import get_corpus
    from app.tracing.loaded import open_loaded
    from app.tracing.steps_ahead import drawn, take_ahead

    index = _index(store, runs)
    loaded = open_loaded(settings, store, index, device=settings.device)
    manifest = loaded.index.manifest
    with store.session() as session:
        corpus = get_corpus(session, manifest.corpus.name)
        read = read_steps(session, corpus, manifest.model.sha256, load) if load else 0
        results = [result for run in runs for result in drawn(session, run, per_task)]
    with bar("Training steps") as step:
        taken = take_ahead(store, loaded, results, progress=step)
    if save is not None:
        with store.session() as session:
            write_steps(session, corpus, manifest.model.sha256, results, save)
    return taken, read


def _index(store: "Store", runs: list[str]) -> str:
    """The index that all of the runs were made with."""
    from app.store.runs import get_run

    with store.session() as session:
        names = {get_run(session, run).index_name for run in runs}
    if len(names) != 1 or None in names:
        raise UserError(
            "The runs were not all made with one index of this machine.",
            field="runs",
            remedy="Name runs of one index; take the others by themselves.",
        )
    return str(names.pop())
