"""`startrail backup`, `restore` and `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `backup`, `restore` and `doctor`."""
    app.command(name="backup", help=backup.__doc__)(backup)
    app.command(name="restore", help=restore.__doc__)(restore)
    app.command(name="doctor", help=doctor.__doc__)(doctor)


def backup(
    to: Annotated[
        Path, typer.Argument(help="A new directory, or a file that ends with .tar, .tar.gz or .tgz.")
    ],
) -> None:
    """Back up the database, models, indexes and presets while the site runs. The backup appears when it is whole.

    With PostgreSQL, its program pg_dump must be installed, of the server's version or newer.
    """
    from app.cli.progress import console
    from app.upkeep.backup import back_up

    made = back_up(get_settings(), to)
    counts = ", ".join(f"{len(names)} {folder}" for folder, names in made.folders.items() if names)
    console.print(f"✓ {to}: {made.database}{', ' + counts if counts else ''}", markup=False)


def restore(
    source: Annotated[Path, typer.Argument(help="What `startrail backup` made.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Bring a backup back. Refused while a server or worker runs on the home, or somebody uses the database.

    The database is then what it was, without any later change; models and indexes of the backup's names are too.
    """
    from app.cli.progress import console
    from app.upkeep.backup import restore as bring_back

    if not yes:
        typer.confirm("Replace what is here by the backup?", abort=True)
    said = bring_back(get_settings(), source)
    console.print(f"✓ as it was on {said.made}", markup=False)


def doctor() -> None:
    """Look at home, database, models, indexes, workers and settings, and say what to do. Exit code 1 if something is wrong."""
    from app.cli.progress import console
    from app.errors import UserError
    from app.store.engine import Store, make_engine
    from app.upkeep.checks import all_of

    settings = get_settings()
    if not settings.home.is_dir():  # looking must not make one
        raise UserError(
            f"There is no home at {settings.home.absolute()}.",
            field="STARTRAIL_HOME",
            remedy="Name the one that is meant, or make one: `startrail migrate`, or `startrail demo`.",
        )
    store = Store(make_engine(settings.url))
    found = all_of(store, settings)
    store.close()
    for each in found:
        console.print(f"{'✓' if each.ok else '✗'} {each.name}: {each.inside}", markup=False, soft_wrap=True)
        if each.remedy and not each.ok and each.remedy not in each.inside:
            console.print(f"    {each.remedy}", markup=False, soft_wrap=True)
    if not all(each.ok for each in found):
        raise typer.Exit(1)
