"""`startrail demo`: the embedded world, built by the commands that real data goes through, then served."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.describing import CORPUS, describe_demo
from app.cli.serve import HOST_HELP, run_site
from app.errors import UserError
from app.files import whole
from app.settings import Settings, get_settings
from app.words.methods import BM25, TRACKSTAR, method_label

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.store.engine import Store
    from app.store.tables import Run

NAME = "demo"
METHODS = (TRACKSTAR, BM25)
ENDINGS = "endings"  # prompts that choose, and the run that explains what the model chose
RATHER = "endings-rather"  # the run that explains why that and not the other
RUNS = (*METHODS, ENDINGS, RATHER)
PATCHED = 40  # facts whose passages the model is trained on one step each, some twenty seconds


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command(name="demo", help=demo.__doc__)(demo)


@dataclass(frozen=True)
class DemoFiles:
    """What the demo is built from: a model directory, passages and two prompt sets as JSON Lines."""

    model: Path
    corpus: Path
    prompts: Path
    endings: Path


def demo(
    build_only: Annotated[
        bool, typer.Option("--build-only", help="Build, print the figures, do not serve.")
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Pretrain the model again first (10 to 25 minutes on 2 cores).")
    ] = False,
    host: Annotated[str, typer.Option(help=HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Build the demo world in STARTRAIL_HOME and serve it.

    A small language model pretrained on 18,000 passages of facts, causes, arithmetic and stories; the model's
    answers to 1,000 prompts; TrackStar's and BM25's passages for each, evaluated. What is there already is not built
    again.
    """
    settings = get_settings()
    build(settings, _retrained(settings) if retrain else _shipped())
    if not build_only:
        run_site(host, port, worker=True)


def build(settings: Settings, world: DemoFiles) -> None:
    """Everything between a model with its corpus and a site to browse; each step only where it is missing."""
    from app.store.engine import open_store

    settings.home.mkdir(parents=True, exist_ok=True)
    store = open_store(settings.url, migrate=True)
    started = time.monotonic()
    if not _complete(settings, store):
        _place_model(settings, world.model)
        _add_texts(store, world)
        _index(settings, store)
        _retrieve(settings, store)
        _choose(settings, store)
        _evaluate(settings, store)
    describe_demo(store, settings.models / NAME, NAME)
    with store.session() as session:
        _figures(session, time.monotonic() - started)


def _shipped() -> DemoFiles:
    from app.demo.shipped import corpus_path, endings_path, model_path, prompts_path

    return DemoFiles(model_path(), corpus_path(), prompts_path(), endings_path())


def _retrained(settings: Settings) -> DemoFiles:
    """The same corpus, generated and trained on again, in HOME/demo-retrained."""
    from app.cli.pretrain import train
    from app.demo.pretrain import PretrainConfig
    from app.demo.shipped import write_world
    from app.demo.world import generate

    if (settings.models / NAME).exists():
        raise UserError(
            f"{settings.models / NAME} exists already.",
            remedy="Give another STARTRAIL_HOME, or remove that one first.",
        )
    world = generate()
    folder = settings.home / "demo-retrained"
    corpus, prompts, endings = write_world(world, folder)
    out = folder / "model"
    if not out.exists():
        train([passage["text"] for passage in world.passages], out, PretrainConfig(), half=True)
    return DemoFiles(out, corpus, prompts, endings)


def _complete(settings: Settings, store: "Store") -> bool:
    """Whether all runs are there and evaluated, with the model and the index they came from."""
    from sqlalchemy import select

    from app.store.runs import run_beside
    from app.store.tables import Run

    with store.session() as session:
        runs = session.scalars(select(Run).where(Run.slug.in_(RUNS))).all()
        evaluated = {run.slug for run in runs if "evaluated_at" in run.metrics}
        beside = [run_beside(session, run) for run in runs if run.slug in METHODS]
    return (
        evaluated == set(RUNS)
        and None not in beside
        and (settings.models / NAME / "config.json").is_file()
        and (settings.indexes / NAME / "manifest.json").is_file()
    )


def _place_model(settings: Settings, model: Path) -> None:
    import shutil

    out = settings.models / NAME
    if out.exists():
        return
    if not (model / "model.safetensors").is_file():
        raise UserError(
            "The demo model is not part of this installation.",
            file=model,
            remedy="Train it with `startrail demo --retrain`.",
        )
    with whole(out) as partial:
        shutil.copytree(model, partial)


def _add_texts(store: "Store", world: DemoFiles) -> None:
    from sqlalchemy import select

    from app.cli.progress import bar
    from app.interchange.plain import read_passages, read_prompts
    from app.store.corpora import add_corpus
    from app.store.prompts import add_prompts
    from app.store.tables import Corpus, PromptSet

    with store.session() as session:
        corpus = session.scalar(select(Corpus).where(Corpus.name == NAME))
        if corpus is None:
            with bar("Adding passages") as step:
                corpus = add_corpus(session, NAME, read_passages(world.corpus), origin=CORPUS, progress=step)
        known = set(session.scalars(select(PromptSet.name)))
        for name, file in ((NAME, world.prompts), (ENDINGS, world.endings)):
            if name not in known:
                with bar(f"Adding prompts, {name}") as step:
                    add_prompts(session, name, read_prompts(file), corpus=corpus, progress=step)


def _index(settings: Settings, store: "Store") -> None:
    from app.cli.progress import bar
    from app.retrieval.search import prepare
    from app.store.corpora import get_corpus, stream_passages
    from app.trackstar.config import EncodingConfig
    from app.trackstar.index import build_index

    out = settings.indexes / NAME
    if out.exists():
        return
    with store.session() as session:
        corpus = get_corpus(session, NAME)
        passages = [(external, text) for _, external, text in stream_passages(session, corpus.id)]
    with bar("Encoding passages") as step:
        build_index(
            settings.models / NAME,
            passages,
            out,
            method=EncodingConfig.preset("+V+R_train"),
            corpus_name=NAME,
            model_name=NAME,
            prepare_search=lambda directory: prepare(directory, "exact"),
            progress=step,
        )


def _retrieve(settings: Settings, store: "Store") -> None:
    from app.cli.progress import bar
    from app.runs.inputs import ensure_answers, open_inputs
    from app.runs.retrieve import explain_beside, retrieve
    from app.store.runs import run_beside
    from app.words.answers import SAID

    with store.session() as session:
        inputs = open_inputs(session, settings, NAME, NAME)
        with bar("Asking the model") as step:
            ensure_answers(session, inputs, step, explains=SAID)
    for method in METHODS:
        with store.session() as session:
            if (run := _find_run(session, method)) is None:
                with bar(f"Tracing by {method_label(method)}") as step:
                    run = retrieve(session, inputs, method, slug=method, progress=step)
            if run_beside(session, run) is None:
                with bar(f"Tracing by {method_label(method)}, what was said") as step:
                    explain_beside(session, inputs, run, progress=step)


def _choose(settings: Settings, store: "Store") -> None:
    """Which ending the model chooses, the passages behind it, and those behind it rather than the other."""
    from app.cli.progress import bar
    from app.runs.inputs import contrasting, ensure_answers, explaining, open_inputs
    from app.runs.retrieve import retrieve
    from app.words.answers import SAID

    with store.session() as session:
        inputs = open_inputs(session, settings, NAME, ENDINGS)
        ensure_answers(session, inputs, explains=SAID)
        inputs = explaining(session, inputs, SAID)
        for slug, asked in ((ENDINGS, inputs), (RATHER, contrasting(session, inputs))):
            if _find_run(session, slug) is None:
                with bar(f"Tracing {slug}") as step:
                    retrieve(session, asked, TRACKSTAR, slug=slug, progress=step)


def _evaluate(settings: Settings, store: "Store") -> None:
    """What the passages have to do with the facts, whether those of some facts move the model, and the figures."""
    from app.cli.progress import bar
    from app.evaluation.classify import classify_run
    from app.evaluation.patching import patch_runs
    from app.evaluation.report import evaluate_runs
    from app.models.load import load_model
    from app.models.steps import TailPatch
    from app.store.runs import get_run, run_beside

    patch = TailPatch(load_model(settings.models / NAME, device=settings.device))
    with bar("Training on passages") as step:
        patch_runs(store, METHODS, patch, task="fact", limit=PATCHED, progress=step)
    with store.session() as session:
        runs = [get_run(session, slug) for slug in RUNS]
        for run in [*runs, *filter(None, (run_beside(session, run) for run in runs))]:
            with bar(f"Types of passages, {run.name}") as step:
                classify_run(session, run, step)
        with bar("Figures") as step:
            evaluate_runs(session, runs, progress=step)


def _find_run(session: "Session", slug: str) -> "Run | None":
    from sqlalchemy import select

    from app.store.tables import Run

    return session.scalar(select(Run).where(Run.slug == slug))


def _figures(session: "Session", seconds: float) -> None:
    """What the model answers right, and where the passages that state a fact come."""
    from rich.table import Table
    from sqlalchemy import select

    from app.cli.progress import console
    from app.cli.retrieve import report
    from app.store.models import get_model
    from app.store.runs import list_runs
    from app.store.tables import Output, Prompt

    model = get_model(session, NAME)
    query = select(Prompt.task, Prompt.frequency, Prompt.choices, Output.correct).join(
        Output, Output.prompt_id == Prompt.id
    )
    answers = session.execute(query.where(Output.model_id == model.id)).all()
    slices: dict[str, Callable[[Any], bool]] = {
        "facts stated four times or more": lambda row: row.task == "fact" and row.frequency >= 4,
        "facts stated twice or three times": lambda row: row.task == "fact" and 2 <= row.frequency <= 3,
        "facts stated once": lambda row: row.task == "fact" and row.frequency == 1,
        "arithmetic": lambda row: row.task == "arithmetic",
        "cause and effect": lambda row: row.task == "commonsense" and not row.choices,
        "which of two endings": lambda row: bool(row.choices),
        "how stories go on": lambda row: row.task == "open_ended",
    }
    table = Table(title="What the demo model answers right", title_justify="left")
    for heading in ("prompts", "right", "of"):
        table.add_column(heading, justify="left" if heading == "prompts" else "right")
    for name, belongs in slices.items():
        own = [row.correct for row in answers if belongs(row)]
        if own:
            table.add_row(name, f"{sum(map(bool, own)) / len(own):.3f}", f"{len(own):,}")
    console.print(table)
    runs = [run for run in list_runs(session) if run.slug in METHODS]
    report(session, runs, task="fact")
    moved = {run.name: run.metrics["tail_patch"] for run in runs if run.metrics.get("tail_patch") is not None}
    if moved:
        facts = min(PATCHED, sum(row.task == "fact" for row in answers))
        console.print(
            f"One training step on each of the first ten passages of {facts} facts, drawn at random, makes their answers"
            f" likelier by {' and '.join(f'{mean:.1f} points ({name})' for name, mean in moved.items())}."
        )
    console.print(f"[green]✓[/] The demo world is ready ({seconds:.0f} s).")
