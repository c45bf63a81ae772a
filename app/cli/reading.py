"""The options of every command that reads records, and what `--dry-run` shows of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.words.roles import FORMS

if TYPE_CHECKING:
    from app.interchange.results_parse import Parsed
    from app.store.tables import Run

Files = Annotated[
    list[str],
    typer.Argument(
        help="JSON Lines, a JSON array, CSV, TSV, Parquet, Arrow, plain text or wikitext, compressed or not; several"
        " files, a folder, a glob, an archive, an address (s3://BUCKET/PATH, gs://…), hf://datasets/OWNER/NAME, or - for"
        " standard input."
    ),
]
IdField = Annotated[str, typer.Option(help="The field with the ids, if it is another.")]
TextField = Annotated[str, typer.Option(help="The field with the passages' texts, if it is another.")]
PromptField = Annotated[str, typer.Option(help="The field with the prompts, if it is another.")]
TargetField = Annotated[str, typer.Option(help="The field with the targets, if it is another.")]
ChoicesField = Annotated[
    str, typer.Option(help="The field with a list of choices; default: choices, where it has one.")
]
LabelField = Annotated[
    str, typer.Option(help="The field with the number of the right choice, from 0; default: label.")
]
Form = Annotated[
    str,
    typer.Option(
        help=f"What a record teaches: {', '.join(FORMS)}; default: text where there is one, else what its fields show"
        " (chosen and rejected; messages or conversations; prompt and completion)."
    ),
]
Split = Annotated[str, typer.Option(help="Of a data set with several splits, only this one.")]
FormatName = Annotated[
    str,
    typer.Option("--format", help="jsonl, json, csv, parquet, arrow, wikitext; default: what the file is."),
]
Unit = Annotated[
    str, typer.Option("--passages", help="Of plain text, a passage is a line, paragraph or file.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many.")]
Dedup = Annotated[
    str, typer.Option(help="exact: leave out texts that were there before; near: also those nearly so.")
]
ChunkTokens = Annotated[
    int | None, typer.Option(min=1, help="Cut documents into passages of at most so many tokens.")
]
SplitAt = Annotated[
    str,
    typer.Option(
        help="What stands between texts that were packed into one (as '<|endoftext|>'): each becomes a passage."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be read, and add nothing.")]
LISTED = 20  # of what was left out


def show(records: Iterable[Any], mapped: Sequence[str]) -> None:
    """The first three records as a table: what stands in each field, and under which name it will be kept."""
    from rich.table import Table
    from rich.text import Text

    from app.cli.progress import console

    for number, record in enumerate(islice(records, 3), 1):
        table = Table(title=f"record {number}", title_justify="left", box=None, pad_edge=False)
        table.add_column("becomes", style="bold")
        table.add_column("value", overflow="fold")
        for name in mapped:
            if (value := getattr(record, name)) not in (None, [], (), {}, ""):
                table.add_row(name, Text(short(value)))
        for name, value in (getattr(record, "meta", None) or getattr(record, "extra", None) or {}).items():
            table.add_row("kept", Text(f"{name}: {short(value)}"))
        console.print(table)


def show_results(records: "Iterable[Parsed]") -> None:
    """The first three records of a results file: which of their fields are read, and which are kept as they are."""
    from rich.table import Table
    from rich.text import Text

    from app.cli.progress import console
    from app.interchange.results_fields import unknown

    for number, parsed in enumerate(islice(records, 3), 1):
        table = Table(title=f"record {number}", title_justify="left", box=None, pad_edge=False)
        table.add_column("field", style="bold")
        table.add_column("becomes")
        table.add_column("value", overflow="fold")
        strangers = unknown(parsed.record)
        for name, value in parsed.record.items():
            near = f"; was {strangers[name]} meant?" if strangers.get(name) else ""
            becomes = f"kept, not understood{near}" if name in strangers else "read"
            table.add_row(Text(short(name)), Text(becomes), Text(short(value)))
        console.print(table)


def tell_left_out(left_out: Sequence[tuple[str, str]], file: Path | None) -> None:
    """How many were left out, and which; all of them in `file` where one is named."""
    from app.cli.progress import console
    from app.files import write_bytes

    if file is not None:
        rows = (json.dumps({"id": id_, "because": why}, ensure_ascii=False) + "\n" for id_, why in left_out)
        write_bytes(file, "".join(rows).encode("utf-8", "backslashreplace"))
    if not left_out:
        return
    console.print(f"  {len(left_out):,} left out:")
    for id_, why in left_out[:LISTED]:
        console.print(f"    {id_}: {why}", markup=False)
    if len(left_out) > LISTED:
        where = f"all are in {file}" if file else "name a file with --left-out to have all"
        console.print(f"    … and {len(left_out) - LISTED:,} more; {where}", markup=False)


def tell_run(made: "Run") -> None:
    """What an import became, and what it did not understand."""
    from rich.markup import escape

    from app.cli.progress import console
    from app.interchange.results import NULLS, UNKNOWN

    console.print(f"[green]✓[/] run {made.slug} ({escape(made.method)}): {made.prompt_count:,} prompts")
    for name, nearest in made.configuration.get(UNKNOWN, {}).items():
        meant = f"; was “{nearest}” meant?" if nearest else "."
        console.print(
            f"  The field “{name}” is kept, and not understood{meant}", markup=False, soft_wrap=True
        )
    tell_nulls(made.configuration.get(NULLS, {}))


def tell_nulls(nulls: Mapping[str, int]) -> None:
    """Which fields had numbers that are none."""
    from app.cli.progress import console

    for name, times in nulls.items():
        console.print(
            f"  The field “{name}” holds {times:,} NaN, read as null.", markup=False, soft_wrap=True
        )


def short(value: Any) -> str:
    """A value on one line or few; what would steer a terminal, or turn its text round, as its code."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    plain = "".join(each if each.isprintable() or each in "\n\t" else f"\\u{ord(each):04x}" for each in text)
    return plain if len(plain) <= 160 else f"{plain[:157]}…"
