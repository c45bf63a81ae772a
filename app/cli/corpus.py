"""`startrail corpus`: the passages a model was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.describing import Author, Description, FromWhere, Licence, said_of
from app.cli.reading import (
    ChunkTokens,
    Dedup,
    DryRun,
    Files,
    Form,
    FormatName,
    IdField,
    Limit,
    PromptField,
    Split,
    SplitAt,
    TargetField,
    TextField,
    Unit,
    show,
    tell_left_out,
    tell_nulls,
)
from app.errors import UserError
from app.settings import get_settings
from app.store.origins import Origin
from app.words.roles import FORMS

group = typer.Typer(no_args_is_help=True, help="Add and list corpora: the passages a model was trained on.")


def register(app: typer.Typer) -> None:
    """Add `corpus add`, `corpus describe`, `corpus discard` and `corpus list`."""
    app.add_typer(group, name="corpus")


@group.command()
def add(
    files: Files,
    name: Annotated[str, typer.Option(help="The corpus's name; default: the file's.")] = "",
    description: Description = "",
    source: FromWhere = "",
    licence: Licence = "",
    author: Author = "",
    id_field: IdField = "",
    text_field: TextField = "",
    prompt_field: PromptField = "",
    target_field: TargetField = "",
    form: Form = "",
    split: Split = "",
    format: FormatName = "",
    passages: Unit = "",
    limit: Limit = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    dedup: Dedup = "",
    chunk_tokens: ChunkTokens = None,
    split_at: SplitAt = "",
    tokenizer: Annotated[
        str,
        typer.Option(help="Whose tokens --chunk-tokens counts: a model's, a tokenizer.json; default: words."),
    ] = "",
    left_out: Annotated[
        Path | None, typer.Option(help="File to list what --dedup left out, as JSON Lines.")
    ] = None,
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
    after: Annotated[
        str,
        typer.Option(
            help="A corpus that this one begins with: its passages come first, and it stays as it is. An index of it is"
            " gone on with by `startrail index --append`."
        ),
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Add a corpus, in the order of the files. It is shown once it is whole; if adding is stopped, the same command goes on
    where it was, and a record that cannot be used leaves nothing of it.

    The text is `text`, `contents`, `content` or `passage`; the id is `id`, `passage_id` or the like, and the row's number
    where no row has one. What models are fine-tuned on is read as TRL reads it: `prompt` and `completion`, `messages` (or
    ShareGPT's `conversations`), `chosen` and `rejected`; only what was learned then carries loss, and pages show the turns.
    Every other field is kept beside the passage. T-REx files are read as they stand:

    startrail corpus add corpus.jsonl.gz --name trex --facts queries.jsonl.gz --min-frequency 4 --max-facts 3500
    """
    from rich.markup import escape

    from app.cli.opening import open_store
    from app.cli.progress import bar, console, kilobytes
    from app.interchange.adding import FactChoice, add_corpus_files, tokenizer_of
    from app.interchange.fields import Fields
    from app.interchange.plain import read_passages
    from app.interchange.records import Reading
    from app.interchange.sift import Sift

    if facts is None and (min_frequency > 1 or max_facts is not None):
        raise UserError(
            "Without --facts there are no facts to choose.",
            field="--facts",
            remedy="Name the file of prompts.",
        )
    settings = get_settings()
    sift = Sift(
        limit, sample, seed, dedup, chunk_tokens, tokenizer_of(tokenizer, settings.models), split_at=split_at
    )
    reading, fields = (
        Reading(format=format, split=split, passages=passages),
        Fields(id_field, text_field, form, prompt_field, target_field),
    )
    if dry_run:
        show(sift(read_passages(files, fields=fields, reading=reading)), ("external_id", "teaches", "parts"))
        return
    with bar("Adding passages, KB") as step:
        added = add_corpus_files(
            open_store(settings.url, migrate=True),
            files,
            name,
            origin=Origin(description, source, licence, author),
            fields=fields,
            reading=reading,
            sift=sift,
            facts=FactChoice(facts, min_frequency, max_facts) if facts else None,
            after=after,
            progress=kilobytes(step),
        )
    about = f", which state {added.facts:,} facts" if added.facts is not None else ""
    before = f", {added.resumed:,} of them here already" if added.resumed else ""
    console.print(f"[green]✓[/] corpus {escape(added.name)}: {added.passages:,} passages{about}{before}")
    for form, count in added.forms.items():
        console.print(f"  {FORMS[form]}: {count:,}")
    tell_left_out([(id_, f"as {first}") for id_, first in added.left_out], left_out)
    tell_nulls(reading.nulls)


@group.command("describe")
def describe_corpus(
    name: Annotated[str, typer.Argument(help="A corpus of this home.")],
    description: Description = "",
    source: FromWhere = "",
    licence: Licence = "",
    author: Author = "",
) -> None:
    """Say of a corpus that is here where it comes from. What is left out stays as it is."""
    said_of("corpus", name, Origin(description, source, licence, author))


@group.command("discard")
def discard(
    name: Annotated[str, typer.Argument(help="A corpus that `startrail corpus list` shows as unfinished.")],
) -> None:
    """Throw away what is here of a corpus whose adding was stopped. One that is whole is taken down by `startrail remove`."""
    from rich.markup import escape

    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store.growing import discard_unfinished

    gone = discard_unfinished(open_store(get_settings().url, migrate=True), name)
    console.print(f"[green]✓[/] {gone:,} passages of {escape(name)} thrown away")


@group.command("list")
def list_() -> None:
    """The corpora there are."""
    from app.cli.opening import open_store
    from app.cli.progress import console, listing
    from app.store.corpora import list_corpora, list_unfinished

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        corpora, begun = list_corpora(session), list_unfinished(session)
    for each in begun:
        console.print(
            f"  {each.name}: unfinished, {each.passage_count:,} passages so far. `startrail corpus add` goes on, `startrail"
            " corpus discard` throws them away.",
            markup=False,
            soft_wrap=True,
        )
    if not corpora and not begun:
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
