"""`startrail evaluate`: do a run's passages state the facts, and do they move the model?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.computing import ComputeType, InCluster, computing_in
from app.errors import UserError
from app.files import write_bytes
from app.settings import get_settings
from app.words.slices import EVALUATED, FREQUENCY
from app.words.tasks import FACT


def register(app: typer.Typer) -> None:
    """Add `evaluate`."""
    app.command(name="evaluate", help=evaluate.__doc__)(evaluate)


def evaluate(
    runs: Annotated[str, typer.Option(help="Runs by name, separated by commas; default all.")] = "",
    prompts: Annotated[str, typer.Option(help="Only runs over this prompt set.")] = "",
    tail_patch: Annotated[
        int, typer.Option(min=0, metavar="N", help="Measure the tail-patch of the first N proponents.")
    ] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Measure it for so many prompts, the same random ones for every run; default all."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the prompts of --limit.")] = 0,
    task: Annotated[str, typer.Option(help="Measure it for prompts of this task; empty: all tasks.")] = FACT,
    optimizer: Annotated[
        str,
        typer.Option(
            help="Of the tail-patch step: adafactor, adamw, sgd; empty: the one saved with the model, or adafactor."
        ),
    ] = "",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            max=10,
            help="Of the tail-patch step; default the one that training ended with, or by rule.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Forget tail-patches that were measured before.")
    ] = False,
    dtype: ComputeType = "",
    cluster: InCluster = "",
    ais: Annotated[bool, typer.Option("--ais", help="Score passages by STARTRAIL_ENTAILMENT_MODEL.")] = False,
    ais_threshold: Annotated[
        float, typer.Option(min=0, max=1, help="AIS score from which on a passage states the fact.")
    ] = 0.5,
    against: Annotated[
        str, typer.Option(metavar="RUN", help="Also print how much better each is than this.")
    ] = "",
    by: Annotated[
        str,
        typer.Option(help=f"Print MRR and tail-patch by this slice: {', '.join(EVALUATED)}."),
    ] = FREQUENCY.by,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write every figure as JSON.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the tables as Markdown, by every slice.")
    ] = None,
) -> None:
    """Evaluate runs: MRR, recall, precision and average precision with 95% intervals, types of passages, and
    tail-patch if asked for.

    What is found is saved with the runs and shown at /evaluation. Stopped, tail-patch and --ais go on where they were; with
    --cluster its members take the steps and score. Runs are compared with each other on the prompts they share.
    """
    from app.cli.evaluation_tables import report_tables, show
    from app.cli.opening import open_store
    from app.cli.progress import bar, errors
    from app.runs.evaluating import PatchPlan, check_cluster
    from app.runs.evaluating import evaluate as evaluate_runs

    settings = computing_in(get_settings(), dtype)
    plan = PatchPlan(tail_patch, task, limit, seed, again, optimizer, learning_rate)
    plan.check()
    check_cluster(cluster, measured=bool(tail_patch or ais))
    _check(by, json_file, markdown)
    found = evaluate_runs(
        settings,
        open_store(settings.url, migrate=True),
        runs=runs,
        prompts=prompts,
        against=against,
        patch=plan if tail_patch else None,
        ais=ais,
        ais_threshold=ais_threshold,
        cluster=cluster,
        bar=bar,
    )
    for run in found.without_model:
        errors.print(f"{run}: its model is not on this machine, so no tail-patch is measured.")
    for table in report_tables(found.report, against, [by]):
        show(table)
    if json_file:
        _write(json_file, json.dumps(found.report, indent=1, ensure_ascii=False) + "\n")
    if markdown:
        texts = (table.markdown() for table in report_tables(found.report, against))
        _write(markdown, "\n".join(texts))


def _check(by: str, *files: Path | None) -> None:
    """Refuse before the work rather than after it."""
    if by not in EVALUATED:
        raise UserError(
            f"There is no slice “{by}”.", field="by", remedy=f"Use one of {', '.join(EVALUATED)}."
        )
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise UserError("The folder does not exist.", file=file, remedy="Make it first.")
        if file is not None and file.is_dir():
            raise UserError("It is a folder.", file=file, remedy="Name a file in it.")


def _write(file: Path, text: str) -> None:
    try:
        write_bytes(file, text.encode(errors="backslashreplace"))  # as JSON writes a surrogate
    except OSError as error:
        raise UserError(
            f"It cannot be written: {error.strerror}.",
            file=file,
            remedy="Name a file in a directory of yours; what was found is saved with the runs.",
        ) from None
