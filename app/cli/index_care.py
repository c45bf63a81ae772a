"""`startrail index --verify` and `startrail reindex`: for an index that is there."""

from typing import Annotated

import typer

from app.errors import UserError
from app.retrieval.kinds import KINDS, kind_of
from app.settings import get_settings
from app.words.partial import SearchedPart


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
    search: Annotated[
        str, typer.Option("--index", help=f"{', '.join(list(KINDS)[:-1])} or {list(KINDS)[-1]}.")
    ] = "rabitq2",
    prompts: Annotated[
        str, typer.Option(help="Prompt set in the store, whose prompts and targets lists are measured with.")
    ] = "",
) -> None:
    """Have an index's rows searched by another kind: smaller and faster where they are many. No passage is encoded again."""
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.runs.building import index_place
    from app.runs.index_care import questions_of, search_by

    settings = get_settings()
    if prompts and not kind_of(search).in_lists:
        raise UserError(
            f"“{search}” is measured with rows of the index, and by no prompts.",
            field="prompts",
            remedy="Leave --prompts out, or give --index lists.",
        )
    place = index_place(settings, index)
    if prompts:
        with open_store(settings.url) as store:
            about = search_by(place, search, questions_of(settings, store, prompts)).search
    else:
        about = search_by(place, search).search
    said = (
        f", {about['recall']:.3f} of the ten best among {about['candidates']:,}" if "recall" in about else ""
    )
    if part := about.get("part"):
        said = f". {SearchedPart(**part).said}".removesuffix(".")
    console.print(f"{index} is searched by {search} now{said}.")
