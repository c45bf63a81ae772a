"""`startrail remove`: take something down, for good."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `remove`."""
    app.command(name="remove", help=remove.__doc__)(remove)


def remove(
    kind: Annotated[str, typer.Argument(help="passage, prompt, trace, run or corpus.")],
    name: Annotated[
        str,
        typer.Argument(help="A passage's or trace's id, a run's or corpus's name, a prompt as RUN/PROMPT."),
    ],
    reason: Annotated[str, typer.Option(help="What its address answers from now on.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take something down: its text, the words it is searched by, its copies, and the space it took on the disk.

    Its address answers 410 with the reason, and no import brings it back. A passage goes from every corpus and keeps its place in
    rankings, without its text; a prompt goes from every set; a corpus takes along every run over it, every trace that searched
    it, and its indexes. Backups are not touched.
    """
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.runs.taking_down import remove as take_down

    if not yes:
        typer.confirm(f"Take down the {kind} {name} for good?", abort=True)
    settings = get_settings()
    address = take_down(open_store(settings.url, migrate=True), settings, kind, name, reason)
    console.print(f"✓ {address} answers 410 from now on", markup=False)
    console.print("  Restart workers that run: they hold in memory what they read before.", markup=False)
