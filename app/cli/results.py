"""`startrail import`, `export` and `runs`: results files in the paper's format, and the runs they become."""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.reading import DryRun, IdField, PromptField, Split, TargetField, show_results, tell_run
from app.interchange.tools import AUTO, NAMES
from app.interchange.tools.matrices import KEPT_PROPONENTS
from app.settings import get_settings

runs = typer.Typer(no_args_is_help=True, help="List and remove runs: the results of one method.")


def register(app: typer.Typer) -> None:
    """Add `import`, `export`, `runs list` and `runs remove`."""
    app.command(name="import", help=import_.__doc__)(import_)
    app.command(name="export", help=export.__doc__)(export)
    app.add_typer(runs, name="runs")


def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="Results in the paper's fields: JSON Lines, a JSON array, Parquet or Arrow, compressed or not; a file, a"
            " folder, or - for standard input."
        ),
    ],
    run: Annotated[str, typer.Option(help="Name of the run that it becomes.")],
    method: Annotated[str, typer.Option(help="The method; default: what the file's name says.")] = "",
    prompts: Annotated[str, typer.Option(help="Prompt set of its prompts.")] = "imported",
    corpus: Annotated[str, typer.Option(help="Corpus of its passages.")] = "imported",
    model: Annotated[str, typer.Option(help="Model whose outputs it tells.")] = "imported",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(NAMES)}.")] = AUTO,
    rows: Annotated[
        str, typer.Option(help="Of a matrix whose shape does not tell: its rows are queries or passages.")
    ] = "",
    k: Annotated[
        int, typer.Option("-k", min=1, help="Of a matrix: proponents kept for each prompt.")
    ] = KEPT_PROPONENTS,
    id_field: IdField = "",
    prompt_field: PromptField = "",
    target_field: TargetField = "",
    text_field: Annotated[
        str, typer.Option(help="The field with the list of the passages' texts, if it is another.")
    ] = "",
    split: Split = "",
    dry_run: DryRun = False,
) -> None:
    """Import results as a run, whole or not at all; until it is whole nobody sees any of it, and the site goes on.

    Files about the same prompts (same example_id, prompt and target) share them, so that their runs can be compared.
    Fields that Startrail does not know are kept; `startrail export` gives back the file, equal field by field.

    Give --prompts and --corpus to tie the results to a prompt set and corpus added before, for instance to those whose
    statements are known: passages that the file does not judge are judged by these. Give --model where files tell of
    different models.

    Scores of other tools are read too: bergson's folder, kronfluence's file, a matrix in .npy, .safetensors or .pt (dattri,
    TRAK, LogIX). They say nothing of texts, so name the --prompts and the --corpus that they were computed for.

    --dry-run shows what becomes of each field, and as which records another tool's scores are read. What is named by --id-field
    and the like comes back under the format's name.
    """
    from app.cli.opening import open_store
    from app.cli.progress import bar, console, kilobytes
    from app.interchange.fields import Fields
    from app.interchange.records import Reading
    from app.interchange.results import Destination, import_results
    from app.interchange.results_lines import result_lines
    from app.interchange.results_parse import parse
    from app.interchange.tools import tool_for
    from app.interchange.tools.matrices import Places
    from app.store.arriving import arrival

    fields = Fields(id_field, text_field, prompt=prompt_field, target=target_field)
    reading = Reading(split=split)
    if dry_run and (tool := tool_for(Path(file), form)) is None:
        show_results(map(parse, result_lines(file, reading, fields)))
        return
    store = open_store(get_settings().url, migrate=True)
    if dry_run and tool:  # its scores may be of prompts and passages that are named here only
        console.print(f"{tool.name}, read as records of the paper's format:")
        with store.session() as session:
            show_results(map(parse, tool.read(Path(file), Places(session, prompts, corpus, rows, k))))
        return
    gc.freeze()  # what is loaded by now stays; to look through it again and again costs a tenth of the import
    with bar("Importing, KB") as step:

        def indexing(done: int, total: int) -> None:
            step(done, total, "Indexing words, texts")

        with arrival(store, indexing=indexing) as arrives:
            made = import_results(
                arrives.session,
                file,
                run=run,
                into=Destination(prompts, corpus, model, method),
                reading=reading,
                fields=fields,
                form=form,
                rows=rows,
                k=k,
                progress=kilobytes(step),
                arrival=arrives,
            )
    tell_run(made)


def export(
    run: Annotated[str, typer.Argument(help="The run's name, as `startrail runs list` shows it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; .gz is compressed, - is standard output.")
    ],
) -> None:
    """Write a run as a results file in the paper's JSON Lines format.

    What was imported comes back equal, field by field; a run of ours has the fields that have a value. The file appears
    under its name only when it is whole.
    """
    from rich.markup import escape

    from app.cli.opening import open_store
    from app.cli.progress import bar, errors
    from app.interchange.results import write_results
    from app.store.runs import get_run

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session, bar("Exporting, prompts") as step:
        found = get_run(session, run)
        write_results(session, found, sys.stdout.buffer if str(output) == "-" else output, step)
        errors.print(f"[green]✓[/] {escape(str(output))}: {found.prompt_count:,} records")


@runs.command("list")
def list_() -> None:
    """The runs there are."""
    from app.cli.opening import open_store
    from app.cli.progress import console, listing
    from app.store.runs import list_runs

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        found = list_runs(session)
    if not found:
        console.print("No run yet. Make one with `startrail import FILE --run NAME` or `startrail retrieve`.")
        return
    heads = ("run", "method", "prompts", "model", "prompt set", "corpus", "made")
    rows = [
        (run.slug, run.method, f"{run.prompt_count:,}", run.model.name, run.prompt_set.name, run.corpus.name,
         f"{run.created_at:%Y-%m-%d}")
        for run in found
    ]  # fmt: skip
    console.print(listing(*heads, rows=rows))


@runs.command()
def remove(
    run: Annotated[str, typer.Argument(help="The run's name, as `startrail runs list` shows it.")],
    reason: Annotated[
        str, typer.Option(help="What its address answers from now on.")
    ] = "This run was removed by the operator.",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a run and its results. Its address answers 410 with the reason; passages and prompts stay."""
    from app.cli.opening import open_store
    from app.cli.progress import console
    from app.store.runs import get_run, remove_run

    store = open_store(get_settings().url, migrate=True)
    with store.session() as session:
        found = get_run(session, run)
        if not yes:
            typer.confirm(f"Remove {found.slug} with its {found.prompt_count:,} results?", abort=True)
        remove_run(session, run, reason)
    console.print(f"[green]✓[/] run {found.slug} removed")
