"""The options that say where a model or corpus comes from, and the commands that keep what they say."""

from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings
from app.store.origins import NOTHING_SAID, Origin

Description = Annotated[str, typer.Option(help="One sentence that pages show beside the name.")]
FromWhere = Annotated[
    str, typer.Option("--source", help="Where it can be had, or how it was made: an address or a sentence.")
]
Licence = Annotated[str, typer.Option(help="Its licence, best an SPDX identifier: CC-BY-4.0.")]
Author = Annotated[str, typer.Option(help="Who made it.")]


def said_of(kind: str, name: str, origin: Origin) -> None:
    """Keep what was said of the model or corpus (`kind`) of this name.

    Raises:
        UserError: nothing was said. NotFound: there is none.
    """
    from rich.markup import escape

    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store.corpora import get_corpus
    from app.store.models import get_model
    from app.store.origins import describe

    if origin == NOTHING_SAID:
        raise UserError(
            "Nothing was said.",
            field="--source",
            remedy="Give --description, --source, --licence or --author.",
        )
    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        row = get_model(session, name) if kind == "model" else get_corpus(session, name)
        describe(session, row, origin)
    console.print(f"[green]✓[/] /{'models' if kind == 'model' else 'corpora'}/{escape(name)} says so now")
