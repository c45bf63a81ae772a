"""`startrail index --verify` and `startrail reindex`: for an index that is there."""

from typing import Annotated

import typer

from app.settings import get_settings


def register(app: typer.Typer) -> None:
    """Add `reindex`."""
    app.command(name="reindex", help=reindex.__doc__)(reindex)


def verify(name: str) -> None:
    """Compare every file of the index `name` with its checksum, and end."""
    from app.cli.progress import console
    from app.runs.building import index_place
    from app.runs.index_care import verify

    if name:
        count = verify(index_place(get_settings(), name))
        console.print(f"All {count:,} files of {name} are what its manifest says.")
        raise typer.Exit


def reindex(
    index: Annotated[str, typer.Argument(help="An index in HOME/indexes.")],
    search: Annotated[str, typer.Option("--index", help="exact, rabitq2 or rabitq1.")] = "rabitq2",
) -> None:
    """Have an index's rows searched by another kind: smaller and faster where they are many. Nothing is encoded again."""
    from app.cli.progress import console
    from app.runs.building import index_place
    from app.runs.index_care import search_by

    about = search_by(index_place(get_settings(), index), search).search
    said = (
        f", {about['recall']:.3f} of the ten best among {about['candidates']:,}" if "recall" in about else ""
    )
    console.print(f"{index} is searched by {search} now{said}.")
