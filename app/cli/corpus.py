"""`startrail corpus`: the passages a model was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from app.errors import UserError
from app.settings import get_settings

group = typer.Typer(no_args_is_help=True, help="Add and list corpora: the passages a model was trained on.")


def register(app: typer.Typer) -> None:
    """Add `corpus add` and `corpus list`."""
    app.add_typer(group, name="corpus")


@group.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON Lines, plain or gzipped: {id, text, …} a line; a Parquet file; or a dataset saved on disk."
        ),
    ],
    name: Annotated[str, typer.Option(help="The corpus's name; default: the file's.")] = "",
    description: Annotated[str, typer.Option(help="One sentence that pages show beside the name.")] = "",
    id_field: Annotated[str, typer.Option(help="The field with the passages' ids, if it is another.")] = "",
    text_field: Annotated[str, typer.Option(help="The field with their texts, if it is another.")] = "",
    facts: Annotated[
        Path | None,
        typer.Option(
            help="A file of prompts with entailing_passage_ids: take only passages that state a fact in it."
        ),
    ] = None,
    min_frequency: Annotated[
        int, typer.Option(min=1, help="With --facts: only facts that so many passages state.")
    ] = 1,
    max_facts: Annotated[
        int | None,
        typer.Option(min=1, help="With --facts: at most so many facts, spread over the relations."),
    ] = None,
) -> None:
    """Add a corpus: one transaction, in the order of the file, whole or not at all.

    The id is `id` or `passage_id`; every other field is kept beside the passage. T-REx files are read as they stand:

    startrail corpus add corpus.jsonl.gz --name trex --facts queries.jsonl.gz --min-frequency 4 --max-facts 3500
    """
    from rich.markup import escape

    from app.cli.progress import bar, console, kilobytes
    from app.interchange.plain import read_passages
    from app.interchange.trex import choose_facts, only
    from app.store.corpora import add_corpus
    from app.store.engine import open_store

    if facts is None and (min_frequency > 1 or max_facts is not None):
        raise UserError(
            "Without --facts there are no facts to choose.",
            field="--facts",
            remedy="Name the file of prompts.",
        )
    selection = None
    if facts is not None:
        with bar("Choosing facts, KB") as step:
            selection = choose_facts(
                facts, min_frequency=min_frequency, max_facts=max_facts, progress=kilobytes(step)
            )
    store = open_store(get_settings().url, migrate=True)
    with bar("Adding passages, KB") as step:

        def indexing(done: int, total: int) -> None:
            step(done, total, "Indexing words, texts")

        with store.session(indexing=indexing) as session:
            passages = read_passages(file, kilobytes(step), id_field=id_field, text_field=text_field)
            if selection:
                passages = only(passages, selection)
            corpus = add_corpus(session, name or stem(file), passages, description=description)
            session.expunge(corpus)
    about = f", which state {selection.facts:,} facts" if selection else ""
    console.print(f"[green]✓[/] corpus {escape(corpus.name)}: {corpus.passage_count:,} passages{about}")


@group.command("list")
def list_() -> None:
    """The corpora there are."""
    from app.cli.progress import console, listing
    from app.store.corpora import list_corpora
    from app.store.engine import open_store

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        corpora = list_corpora(session)
    if not corpora:
        console.print("No corpus yet. Add one with `startrail corpus add FILE`.")
        return
    rows = [
        (
            each.name,
            f"{each.passage_count:,}",
            f"{each.created_at:%Y-%m-%d}",
            (each.sha256 or "grows")[:12],
            each.description,
        )
        for each in corpora
    ]
    console.print(listing("corpus", "passages", "added", "sha256", "description", rows=rows))


def stem(file: Path) -> str:
    """A file's name without what says its format."""
    return file.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json").removesuffix(".parquet")
