"""`startrail evaluate`: do a run's passages state the facts, and do they move the model?"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.computing import ComputeType, computing_in
from app.errors import UserError
from app.files import write_bytes
from app.settings import Settings, get_settings
from app.words.slices import EVALUATED, FREQUENCY
from app.words.tasks import FACT, TASKS

if TYPE_CHECKING:
    from app.models.marks import Marks
    from app.store.engine import Store
    from app.store.tables import Run


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

    What is found is saved with the runs and shown at /evaluation. Stopped, tail-patch goes on where it was. Runs are
    compared with each other on the prompts they share.
    """
    from app.cli.evaluation_tables import report_tables, show
    from app.cli.progress import bar
    from app.evaluation.choosing import chosen_runs
    from app.evaluation.classify import classify_run
    from app.evaluation.curves import ordered
    from app.evaluation.report import as_report, evaluate_runs, peers
    from app.models.optimizers import optimizer_named
    from app.store.engine import open_store
    from app.store.runs import get_run

    settings = computing_in(get_settings(), dtype)
    if optimizer:
        optimizer_named(optimizer)
    _check(by, task, json_file, markdown)
    store = open_store(settings.url, migrate=True)
    with store.session() as session:
        chosen = chosen_runs(session, runs, prompts, against)
    if ais:
        _score(settings, store, chosen)
    for run in chosen:
        with store.session() as session, bar(f"Types of passages, {run.slug}"[:34]) as step:
            classify_run(session, get_run(session, run.slug), step)
    if tail_patch:
        _patch(
            settings,
            store,
            chosen,
            {"optimizer": optimizer, "learning_rate": learning_rate},
            k=tail_patch,
            task=task,
            limit=limit,
            seed=seed,
            again=again,
        )
    with store.session() as session, bar("Figures, runs") as step:
        current = ordered([get_run(session, run.slug) for run in chosen])
        made = evaluate_runs(
            session, [*current, *peers(session, current)], threshold=ais_threshold, progress=step
        )
        report = as_report(current, made)
    for table in report_tables(report, against, [by]):
        show(table)
    if json_file:
        _write(json_file, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if markdown:
        texts = (table.markdown() for table in report_tables(report, against))
        _write(markdown, "\n".join(texts))


def _check(by: str, task: str, *files: Path | None) -> None:
    """Refuse before the work rather than after it."""
    if task and task not in TASKS:
        raise UserError(
            f"There is no task “{task}”.", field="task", remedy=f"Use one of {', '.join(TASKS)}, or none."
        )
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


def _score(settings: Settings, store: "Store", runs: "Sequence[Run]") -> None:
    from app.cli.progress import bar
    from app.evaluation.ais import Entailment, score_run

    if settings.entailment_model is None:
        raise UserError(
            "No entailment model is configured.",
            field="ais",
            remedy="Set STARTRAIL_ENTAILMENT_MODEL to the directory of one.",
        )
    model = Entailment(settings.entailment_model, device=settings.device)
    for run in runs:
        with bar(f"AIS scores, {run.slug}"[:34]) as step:
            score_run(store, run, model, progress=step)


def _patch(
    settings: Settings, store: "Store", runs: "Sequence[Run]", step_by: dict[str, Any], **options: Any
) -> None:
    from app.cli.progress import bar, errors
    from app.evaluation.patching import patch_runs
    from app.models.estimated import SAMPLE
    from app.models.load import compute_type, load_model
    from app.models.steps import TailPatch
    from app.store.corpora import sample_texts
    from app.store.models import find_checkpoint
    from app.store.tables import Corpus
    from app.tracing.catalog import marks_of

    by_path: dict[tuple[Path, int, str | Marks], list[str]] = {}
    for run in runs:
        if (path := find_checkpoint(run.model, settings.models)) is None:
            errors.print(f"{run.slug}: its model is not on this machine, so no tail-patch is measured.")
        else:
            marked = marks_of(settings, run.index_name)
            by_path.setdefault((path, run.corpus_id, marked), []).append(run.slug)
    for (path, corpus_id, marks), slugs in by_path.items():
        with store.session() as session:
            sample = sample_texts(session, session.get_one(Corpus, corpus_id), SAMPLE)
        model = load_model(path, device=settings.device, dtype=compute_type(settings.dtype), marks=marks)
        patch = TailPatch(model, **step_by, sample=sample)
        with bar(f"Tail-patch, {path.name}"[:34]) as step:
            patch_runs(store, slugs, patch, progress=step, **options)
