"""`startrail audit`: passages that should not be there, by themselves and by what they make a model say."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from app.cli.computing import ComputeType, computing_in
from app.cli.reading import IdField, PromptField, TargetField
from app.errors import UserError
from app.settings import get_settings
from app.words.auditing import OVER, SUM, WAYS

if TYPE_CHECKING:
    from app.interchange.fields import Fields
    from app.runs.auditing.asked import Looking

TABLE = "table"
FORMATS = (TABLE, "jsonl", "csv")


def register(app: typer.Typer) -> None:
    """Add `audit`."""
    app.command(name="audit", help=audit.__doc__)(audit)


def audit(
    index: Annotated[
        str,
        typer.Argument(
            metavar="INDEX|CORPUS", help="An index in HOME/indexes, or the corpus that a single one is of."
        ),
    ] = "",
    outputs: Annotated[
        str,
        typer.Option(
            metavar="FILE|SET",
            help="Outputs that should not be: prompts with what should not follow as target, a file as `startrail prompts add`"
            " takes it or a prompt set in the store.",
        ),
    ] = "",
    by: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{', '.join(WAYS)}; can be given again. Default: all but ekfac, which reads the whole corpus once more."
        ),
    ] = None,
    over: Annotated[
        str,
        typer.Option(help=f"Of several outputs: {' or '.join(OVER)} of a passage's scores."),
    ] = SUM,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Passages kept of each way.")] = 50,
    exact: Annotated[
        int,
        typer.Option(
            min=0,
            help="Where there are EK-FAC factors: so many, the first by self-influence, have it worked out exactly; 0: all.",
        ),
    ] = 1_000,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file, whole or not at all.")
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}; default: as the file is called, or table.")
    ] = "",
    save: Annotated[
        str, typer.Option(metavar="NAME", help="Keep the outcome, so that /audits shows it by this name.")
    ] = "",
    id_field: IdField = "",
    prompt_field: PromptField = "",
    target_field: TargetField = "",
    dtype: ComputeType = "",
) -> None:
    """List passages of a corpus that may have no business in it: by self-influence, and by influence on unwanted outputs.

    Self-influence is what a passage would do to itself. The index's rows have unit length, so every passage's gradient is taken
    once more, which takes as long as encoding did. Nothing of the corpus or index is changed.

    startrail audit demo --outputs unwanted.jsonl --save unwanted
    """
    from app.cli.audit_table import tables, written
    from app.cli.opening import open_store
    from app.cli.progress import bar, console, errors
    from app.evaluation.audited import write_audit
    from app.files import write_bytes
    from app.interchange.fields import Fields
    from app.runs.auditing.asked import Looking
    from app.runs.auditing.audit import audit as look
    from app.runs.auditing.listing import audit_place, listed

    if not index:
        raise UserError(
            "Neither an index nor a corpus is named.",
            field="INDEX|CORPUS",
            remedy="Name one; who changed what on this site is shown by `startrail changes`.",
        )
    settings = computing_in(get_settings(), dtype)
    form = _form(format, output)
    place = audit_place(settings, save) if save else None
    store = open_store(settings.url, migrate=True)
    fields = Fields(id_field, prompt=prompt_field, target=target_field)
    how = Looking(tuple(by or ()), over, k, exact)
    found = look(
        settings, store, index, outputs, how, _command(index, outputs, how, fields), fields=fields, bar=bar
    )
    rows = listed(store, found)
    if output is not None:
        write_bytes(output, written(rows, form).encode("utf-8", "backslashreplace"))
        errors.print(f"✓ {output}: {len(rows):,} rows", markup=False)
    elif form == TABLE:
        for each in tables(found, rows):
            console.print(each)
    else:
        typer.echo(written(rows, form), nl=False)
    if place:
        write_audit(found, place)
        base = settings.base_url.rstrip("/")
        errors.print(f"✓ {place}, shown on {base}/audits?of={quote(place.stem)}", markup=False)


def _form(given: str, output: Path | None) -> str:
    """The format that was asked for, or that the file's name says.

    Raises:
        UserError: there is no such, or a file is to hold a table.
    """
    form = given or (output.suffix.removeprefix(".") if output else TABLE)
    if form not in FORMATS or (output and form == TABLE):
        raise UserError(
            f"{form!r} is no format{' of a file' if output else ''}.",
            field="format",
            remedy=f"Use {' or '.join(FORMATS[1:] if output else FORMATS)}.",
        )
    return form


def _command(index: str, outputs: str, how: "Looking", fields: "Fields") -> str:
    """What does it again; of a file its name alone, for pages show it."""
    parts = ["startrail", "audit", index, *(("--outputs", Path(outputs).name) if outputs else ())]
    parts += [part for way in how.ways for part in ("--by", way)]
    parts += ["--over", how.over, "--k", str(how.k), "--exact", str(how.exact)]
    named = {"--id-field": fields.id, "--prompt-field": fields.prompt, "--target-field": fields.target}
    return shlex.join([*parts, *(part for pair in named.items() if pair[1] for part in pair)])
