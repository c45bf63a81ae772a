"""The demo world as a home: model, corpus, prompts, index, runs and figures, made by what real data goes through."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.demo.shipped import corpus_path, endings_path, model_path, prompts_path, steps_path
from app.errors import UserError
from app.evaluation.classify import classify_run
from app.evaluation.patching import patch_runs
from app.evaluation.report import evaluate_runs
from app.files import whole
from app.interchange.plain import read_passages, read_prompts
from app.interchange.steps_file import fits
from app.models.card import read_card
from app.models.load import load_model, model_sha256
from app.models.steps import TailPatch
from app.retrieval.search import prepare
from app.runs.inputs import contrasting, ensure_answers, explaining, open_inputs
from app.runs.ready_steps import make_ready
from app.runs.retrieve import explain_beside, retrieve
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.corpora import add_corpus, get_corpus, stream_passages
from app.store.engine import Store, open_store
from app.store.models import get_model
from app.store.origins import Origin, describe
from app.store.prompts import add_prompts
from app.store.runs import get_run, run_beside
from app.store.tables import Corpus, Output, Prompt, PromptSet, Run
from app.trackstar.config import EncodingConfig
from app.trackstar.index import build_index
from app.words.answers import SAID
from app.words.methods import BM25, TRACKSTAR, method_label

NAME = "demo"
METHODS = (TRACKSTAR, BM25)
ENDINGS = "endings"  # prompts that choose, and the run that explains what the model chose
RATHER = "endings-rather"  # the run that explains why that and not the other
RUNS = (*METHODS, ENDINGS, RATHER)
PATCHED = 40  # facts whose passages the model is trained on one step each, and prompts of each task whose pages have steps
# What is behind the demo's names.
CORPUS = Origin(
    "Generated facts, causes, sums and stories; the corpus knows which passage states which fact.",
    "Written by `startrail demo` from tables of countries, cities and chemical elements.",
    "Apache-2.0",
    "Startrail",
)
MODEL = Origin(
    "A small decoder, pretrained from nothing on the sentences of its corpus.",
    "Pretrained by `startrail demo --retrain`, which repeats it.",
    "Apache-2.0",
    "Startrail",
)
PROMPT_KINDS: dict[str, Callable[[Any], bool]] = {
    "facts stated four times or more": lambda row: row.task == "fact" and row.frequency >= 4,
    "facts stated twice or three times": lambda row: row.task == "fact" and 2 <= row.frequency <= 3,
    "facts stated once": lambda row: row.task == "fact" and row.frequency == 1,
    "arithmetic": lambda row: row.task == "arithmetic",
    "cause and effect": lambda row: row.task == "commonsense" and not row.choices,
    "which of two endings": lambda row: bool(row.choices),
    "how stories go on": lambda row: row.task == "open_ended",
}


@dataclass(frozen=True)
class DemoFiles:
    """What the demo is built from: a model directory, passages and two prompt sets as JSON Lines."""

    model: Path
    corpus: Path
    prompts: Path
    endings: Path
    steps: Path | None = None  # of this model on this corpus, measured ahead


def shipped_files() -> DemoFiles:
    """The files that come with the package."""
    return DemoFiles(model_path(), corpus_path(), prompts_path(), endings_path(), steps_path())


def build_demo(settings: Settings, world: DemoFiles, bar: Bar = unseen) -> Store:
    """Everything between a model with its corpus and a site to browse; each step only where it is missing.

    Args:
        bar: what shows progress, told what is being done.

    Raises:
        UserError: the model is not there, or what has these names in the home is something else.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    store = open_store(settings.url, migrate=True)
    if not _complete(settings, store):
        _place_model(settings, world.model)
        _add_texts(store, world, bar)
        _index(settings, store, bar)
        _retrieve(settings, store, bar)
        _choose(settings, store, bar)
        _step(settings, store, world.steps, bar)
        _evaluate(settings, store, bar)
    _describe(settings, store)
    return store


def _complete(settings: Settings, store: Store) -> bool:
    """Whether all runs are there and evaluated, with the model and the index they came from."""
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


def _add_texts(store: Store, world: DemoFiles, bar: Bar) -> None:
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


def _index(settings: Settings, store: Store, bar: Bar) -> None:
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


def _retrieve(settings: Settings, store: Store, bar: Bar) -> None:
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


def _choose(settings: Settings, store: Store, bar: Bar) -> None:
    """Which ending the model chooses, the passages behind it, and those behind it rather than the other."""
    with store.session() as session:
        inputs = open_inputs(session, settings, NAME, ENDINGS)
        ensure_answers(session, inputs, explains=SAID)
        inputs = explaining(session, inputs, SAID)
        for slug, asked in ((ENDINGS, inputs), (RATHER, contrasting(session, inputs))):
            if _find_run(session, slug) is None:
                with bar(f"Tracing {slug}") as step:
                    retrieve(session, asked, TRACKSTAR, slug=slug, progress=step)


def _step(settings: Settings, store: Store, known: Path | None, bar: Bar) -> None:
    """The steps of some prompts' pages, measured ahead: their lanes are found here, what is missing is taken.

    Of another model or corpus than the shipped ones none are: theirs are taken when a page is read.
    """
    with store.session() as session:
        model = model_sha256(settings.models / NAME)
        if known is None or not fits(get_corpus(session, NAME), model, known):
            return
        run = get_run(session, TRACKSTAR)
        beside = run_beside(session, run)
        runs = [run.slug, *([beside.slug] if beside else [])]
    make_ready(settings, store, runs, per_task=PATCHED, load=known, bar=bar)


def _evaluate(settings: Settings, store: Store, bar: Bar) -> None:
    """What the passages have to do with the facts, whether those of some facts move the model, and the figures."""
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


def _find_run(session: Session, slug: str) -> Run | None:
    return session.scalar(select(Run).where(Run.slug == slug))


def _describe(settings: Settings, store: Store) -> None:
    """Say what is behind the names, also in homes that were made before there was a place for it."""
    with store.session() as session:
        describe(session, get_corpus(session, NAME), CORPUS, over=False)
        model = get_model(session, NAME)
        describe(session, model, MODEL, over=False)
        model.facts = read_card(settings.models / NAME).facts


def right_by_kind(session: Session) -> dict[str, list[bool]]:
    """Whether the demo model answers right, for each kind of prompt that is there, in the order people ask for it."""
    model = get_model(session, NAME)
    query = select(Prompt.task, Prompt.frequency, Prompt.choices, Output.correct).join(
        Output, Output.prompt_id == Prompt.id
    )
    answers = session.execute(query.where(Output.model_id == model.id)).all()
    right = {
        name: [bool(row.correct) for row in answers if belongs(row)] for name, belongs in PROMPT_KINDS.items()
    }
    return {name: own for name, own in right.items() if own}
