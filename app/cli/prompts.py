"""`startrail prompts`: what a model is asked."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.reading import (
    ChoicesField,
    DryRun,
    Files,
    FormatName,
    IdField,
    LabelField,
    Limit,
    PromptField,
    Split,
    TargetField,
    show,
    tell_left_out,
    tell_nulls,
)
from app.interchange.presets import PRESETS, preset
from app.settings import get_settings

SHOWN = (
    "external_id",
    "text",
    "target",
    "task",
    "ground_truth",
    "aliases",
    "choices",
    "label",
    "subject",
    "relation",
    "fact_id",
    "frequency",
    "stated_by",
)
group = typer.Typer(no_args_is_help=True, help="Add and list prompt sets: what a model is asked.")


def register(app: typer.Typer) -> None:
    """Add `prompts add` and `prompts list`."""
    app.add_typer(group, name="prompts")


@group.command()
def add(
    files: Files,
    name: Annotated[str, typer.Option(help="The set's name; default: the corpus's, or the file's.")] = "",
    corpus: Annotated[
        str, typer.Option(help="The corpus whose passages state the facts (entailing_passage_ids).")
    ] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the file if it names a passage that the corpus has not.")
    ] = False,
    id_field: IdField = "",
    prompt_field: PromptField = "",
    target_field: TargetField = "",
    choices_field: ChoicesField = "",
    label_field: LabelField = "",
    split: Split = "",
    format: FormatName = "",
    form: Annotated[
        str,
        typer.Option("--preset", help=f"A set as it is published: {', '.join(PRESETS)}."),
    ] = "",
    labels: Annotated[
        Path | None,
        typer.Option(
            help="A file with the right choice's number of each record, one a line (PIQA keeps them apart)."
        ),
    ] = None,
    limit: Limit = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of --sample.")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Add a prompt set: one transaction, in the order of the files, whole or not at all.

    The id is `id`, `fact_id` or `example_id`, and the row's number where no row has one.
    Known are also task (fact, commonsense, arithmetic, open_ended), aliases,
    subject, relation, fact_id, ground_truth, frequency and entailing_passage_ids; every other field is kept.
    A task that chooses has choices (a list of texts) and label (the number of the right one, from 0), which is its target.

    Facts whose passages are not all in the corpus are left out, and counted. T-REx files are read as they stand:

    startrail prompts add queries.jsonl.gz --corpus trex
    """
    from rich.markup import escape

    from app.cli.opening import open_store
    from app.cli.progress import bar, console, kilobytes
    from app.interchange.adding import add_prompt_files
    from app.interchange.fields import Fields
    from app.interchange.plain import LeftOut, read_prompts
    from app.interchange.records import Reading
    from app.interchange.sift import Part

    fields = Fields(
        id_field, prompt=prompt_field, target=target_field, choices=choices_field, label=label_field
    )
    reading, shape = Reading(format=format, split=split), preset(form) if form else None
    part = Part(limit, sample, seed)
    if dry_run:
        show(part(read_prompts(files, fields=fields, reading=reading, form=shape, labels=labels)), SHOWN)
        return
    left_out: LeftOut = []
    try:
        with bar("Adding prompts, KB") as step:
            added = add_prompt_files(
                open_store(get_settings().url, migrate=True),
                files,
                name,
                corpus=corpus,
                strict=strict,
                fields=fields,
                reading=reading,
                form=shape,
                labels=labels,
                part=part,
                left_out=left_out,
                progress=kilobytes(step),
            )
            console.print(
                f"[green]✓[/] prompts {escape(added.name)}: {added.prompts:,}, linked to the passages that state them"
                f" {added.links:,} times"
            )
    finally:
        tell_left_out(left_out, None)
    tell_nulls(reading.nulls)
    if added.unstated:
        console.print(
            f"  {added.unstated:,} left out: not all their passages are in the corpus (first {escape(added.first_unstated)})"
        )


@group.command("list")
def list_() -> None:
    """The prompt sets there are."""
    from app.cli.opening import open_store
    from app.cli.progress import console, listing
    from app.store.corpora import list_corpora
    from app.store.prompts import list_prompt_sets

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        sets = list_prompt_sets(session)
        names = {corpus.id: corpus.name for corpus in list_corpora(session)}
    if not sets:
        console.print("No prompts yet. Add some with `startrail prompts add FILE`.")
        return
    rows = [
        (each.name, f"{count:,}", names.get(each.corpus_id or 0, "–"), f"{each.created_at:%Y-%m-%d}")
        for each, count in sets
    ]
    console.print(listing("prompt set", "prompts", "corpus", "added", rows=rows))
