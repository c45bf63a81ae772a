"""Runs evaluated with everything that a home has: its models for training steps, its entailment model for AIS."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cluster.hiring import holding, with_model
from app.cluster.joining import ray_package
from app.errors import UserError
from app.evaluation.ais import Entailment, EntailmentPlace, score_run
from app.evaluation.choosing import chosen_runs
from app.evaluation.classify import classify_run
from app.evaluation.curves import ordered
from app.evaluation.patching import patch_runs
from app.evaluation.report import as_report, evaluate_runs, peers
from app.models.adapter_ways import OWN
from app.models.estimated import SAMPLE
from app.models.hands import Hands, OwnHands
from app.models.load import compute_type, load_model
from app.models.marks import Marks
from app.models.optimizers import optimizer_named
from app.models.step_work import StepMade
from app.settings import Settings
from app.showing import Bar, unseen
from app.store.corpora import sample_lessons
from app.store.engine import Store
from app.store.models import find_checkpoint
from app.store.runs import get_run
from app.store.tables import Corpus, Run
from app.tracing.catalog import marks_of
from app.words.tasks import FACT, TASKS

TITLE = 34  # characters of what is being done that a bar has room for
ByModel = dict[tuple[Path, int, str | Marks], list[str]]


@dataclass(frozen=True)
class PatchPlan:
    """Which tail-patches are measured, and by which step; see `app.evaluation.patching.patch_runs`.

    Args:
        k: of each prompt's first so many proponents.
        task: of prompts of this task; empty: all.
        limit: of so many prompts, the same random ones for every run; None: all.
        seed: draws them.
        again: forget what was measured before.
        optimizer: of `app.models.optimizers`; empty: the one saved with the model.
        learning_rate: of the step; None: the one that training ended with, or by rule.
    """

    k: int
    task: str = FACT
    limit: int | None = None
    seed: int = 0
    again: bool = False
    optimizer: str = ""
    learning_rate: float | None = None

    def check(self) -> None:
        """Refuse before the work rather than after it.

        Raises:
            UserError: task or optimizer are not known.
        """
        if self.task and self.task not in TASKS:
            raise UserError(
                f"There is no task “{self.task}”.",
                field="task",
                remedy=f"Use one of {', '.join(TASKS)}, or none.",
            )
        if self.optimizer:
            optimizer_named(self.optimizer)


@dataclass(frozen=True)
class EvaluatedRuns:
    """The figures by run (`app.evaluation.report.as_report`), and the runs whose model is not on this machine, so that no
    tail-patch was measured."""

    report: Mapping[str, Mapping[str, Any]]
    without_model: Sequence[str] = ()


def evaluate(
    settings: Settings,
    store: Store,
    *,
    runs: str = "",
    prompts: str = "",
    against: str = "",
    patch: PatchPlan | None = None,
    ais: bool = False,
    ais_threshold: float = 0.5,
    cluster: str = "",
    bar: Bar = unseen,
) -> EvaluatedRuns:
    """Types of passages, tail-patches and AIS scores where they are asked for, and every figure; all is saved with the runs.

    Args:
        runs: by name, separated by commas; empty: all.
        prompts: only runs over this prompt set.
        against: a run that the others are held against.
        patch: None: no tail-patch is measured now.
        ais: score passages by the home's entailment model.
        ais_threshold: score from which on a passage states the fact.
        cluster: who takes steps and scores, an address for `app.cluster.joining.Cluster`; empty: this process.

    Raises:
        UserError: there is no such run, a setting is missing, or a run was measured by another step before; as
            `check_cluster`.
    """
    if patch is not None:
        patch.check()
    check_cluster(cluster, measured=ais or patch is not None)
    with store.session() as session:
        chosen = chosen_runs(session, runs, prompts, against)
    if ais:
        _score(settings, store, chosen, cluster, bar)
    for run in chosen:
        with store.session() as session, bar(f"Types of passages, {run.slug}"[:TITLE]) as step:
            classify_run(session, get_run(session, run.slug), step)
    absent: list[str] = []
    if patch is not None:
        by_model = _by_model(settings, chosen)
        absent = [run.slug for run in chosen if not any(run.slug in slugs for slugs in by_model.values())]
        _patch(settings, store, by_model, patch, cluster, bar)
    with store.session() as session, bar("Figures, runs") as step:
        current = ordered([get_run(session, run.slug) for run in chosen])
        everyone = [*current, *peers(session, current)]
        made = evaluate_runs(session, everyone, threshold=ais_threshold, progress=step)
        return EvaluatedRuns(as_report(current, made), absent)


def check_cluster(cluster: str, *, measured: bool) -> None:
    """Refuse before the work rather than after it.

    Args:
        measured: whether tail-patches or AIS scores are asked for.

    Raises:
        UserError: the cluster would have nothing to do, or Ray is not installed.
    """
    if not cluster:
        return
    if not measured:
        raise UserError(
            "Tail-patches and AIS scores are measured on a cluster, and neither is asked for.",
            field="cluster",
            remedy="Give --tail-patch N or --ais too, or leave it out.",
        )
    ray_package()


def _score(settings: Settings, store: Store, runs: Sequence[Run], cluster: str, bar: Bar) -> None:
    if settings.entailment_model is None:
        raise UserError(
            "No entailment model is configured.",
            field="ais",
            remedy="Set STARTRAIL_ENTAILMENT_MODEL to the directory of one.",
        )
    with _entailment(settings.entailment_model, settings.device, cluster) as hands:
        for run in runs:
            with bar(f"AIS scores, {run.slug}"[:TITLE]) as step:
                score_run(store, run, settings.entailment_model.name, hands, progress=step)


def _entailment(path: Path, device: str, cluster: str) -> AbstractContextManager[Hands[Entailment]]:
    """Who scores: members of the cluster, or this process where there is none."""
    if cluster:
        return holding(cluster, device, EntailmentPlace.of(path).opened)
    model = Entailment(path, device=device)
    return nullcontext(OwnHands(model, model.device.type))


def _by_model(settings: Settings, runs: Sequence[Run]) -> ByModel:
    """The runs whose model is here, by model, corpus and marks: each is loaded once."""
    found: ByModel = {}
    for run in runs:
        if (path := find_checkpoint(run.model, settings.models)) is not None:
            found.setdefault((path, run.corpus_id, marks_of(settings, run.index_name)), []).append(run.slug)
    return found


def _patch(
    settings: Settings, store: Store, by_model: ByModel, plan: PatchPlan, cluster: str, bar: Bar
) -> None:
    with with_model(cluster, settings.device, OWN, None) as opened:
        for (path, corpus_id, marks), slugs in by_model.items():
            with store.session() as session:
                sample = sample_lessons(session, session.get_one(Corpus, corpus_id), SAMPLE)
            device = "cpu" if cluster else settings.device
            hands = opened(load_model(path, device=device, dtype=compute_type(settings.dtype), marks=marks))
            with bar(f"Tail-patch, {path.name}"[:TITLE]) as step:
                (patch,) = hands.each(StepMade(plan.optimizer, plan.learning_rate, sample), [[None]])
                patch_runs(
                    store,
                    slugs,
                    patch,
                    k=plan.k,
                    task=plan.task,
                    limit=plan.limit,
                    seed=plan.seed,
                    again=plan.again,
                    hands=hands,
                    progress=step,
                )
