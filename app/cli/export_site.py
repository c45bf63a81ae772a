"""`startrail export-site`: a static copy of the site, which any file server shows."""

from pathlib import Path
from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `export-site`."""
    app.command(name="export-site", help=export_site.__doc__)(export_site)


def export_site(
    directory: Annotated[Path, typer.Argument(help="Where the copy goes; it must not hold anything yet.")],
    run: Annotated[
        list[str] | None,
        typer.Option(help="A run to copy, can be given again; default: the first run of each prompt set."),
    ] = None,
    address: Annotated[
        str, typer.Option(metavar="URL", help="Where the copy will stand; then it has a feed of its finds.")
    ] = "",
    include_private: Annotated[
        bool,
        typer.Option(
            "--include-private",
            help="Copy what is private or unlisted too: for those who may see it, not for the web.",
        ),
    ] = False,
) -> None:
    """Write a static copy of the site: every prompt of the runs with its evidence, finds, figures, a search.

    Any file server shows it, at any path: `python -m http.server --directory DIRECTORY`. Pages keep their addresses.
    It needs no Startrail and asks nobody else for anything; what takes a server, such as tracing a prompt of one's own,
    is left out. So is what is private or unlisted; whether the site itself asks for a sign-in makes no difference: who may
    run this command may read everything.
    """
    import asyncio

    from app.cli.opening import open_store
    from app.cli.progress import bar, console
    from app.files import whole
    from app.main import create_app
    from app.publish.seen import ANYBODY, SIGNED_IN, opened
    from app.publish.site import SiteCopy

    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UserError(
            "There is something in it already.",
            file=directory,
            remedy="Name a new directory, or remove this one first.",
        )
    settings = get_settings()
    store = open_store(settings.url, migrate=True)
    reader = SIGNED_IN if include_private else ANYBODY
    copy = SiteCopy(create_app(opened(settings)), store, run or [], address, reader)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with whole(directory) as partial:
        with bar("Pages") as step:
            pages = asyncio.run(copy.write(partial, step))
        size = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
    console.print(f"[green]✓[/] {pages:,} pages, {size / 1e6:.1f} MB. Look at it:")
    console.print(f"  python -m http.server --directory {directory}", markup=False, soft_wrap=True)
