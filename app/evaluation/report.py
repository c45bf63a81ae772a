"""The figures of runs: measures with intervals, by slice, types by rank, and runs against each other.

What is saved of a run and a task (`Evaluation.figures`) is a plain dictionary:

    prompts    how many there are
    overall    measure -> {mean, low, high, count}
    slices     slice -> value -> measure -> the same
    types      for each rank from 1: type -> how many passages
    against    slug of another run -> measure -> the same of the paired differences, on the prompts both have

`Run.metrics` is the summary: `mrr`, `recall_at_10` and `tail_patch` (means over the facts), `tail_patch_settings`
(optimizer, learning rate and steps behind every tail-patch figure), `ais_threshold`, `types_by` and `evaluated_at`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from app.evaluation.judged import Judged, judged_prompts, parted
from app.evaluation.measures import figures, measures, types_by_rank, without_date_lm
from app.evaluation.metrics import THRESHOLD, Estimate, paired_difference
from app.store.base import now
from app.store.evaluations import evaluated_tasks, save_figures
from app.store.prompts import buckets_are_counts
from app.store.runs import list_runs
from app.store.tables import Run
from app.words.measures import COMPARED
from app.words.slices import EVALUATED

KEPT = ("tail_patch_settings", "types_by", "ais_model", "doubt")
Values = dict[str, dict[str, float]]  # measure -> prompt's own id -> value


def evaluate_runs(
    session: Session,
    runs: Sequence[Run],
    *,
    threshold: float = THRESHOLD,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compute the figures of runs, and of each against each, and save them; by slug and task.

    Runs of different prompt sets are compared on the prompts that have the same id.
    """
    values: dict[str, dict[str, Values]] = {}
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for done, run in enumerate(runs, 1):
        prompts = judged_prompts(session, run)
        tasks = {}
        for task in dict.fromkeys(each.task for each in prompts):
            own = [each for each in prompts if each.task == task]
            values.setdefault(task, {})[run.slug] = compared_values(own)
            tasks[task] = task_figures(own, threshold)
        made[run.slug] = tasks
        if progress:
            progress(done, len(runs))
    for run in runs:
        for task, found in made[run.slug].items():
            others = {slug: theirs for slug, theirs in values[task].items() if slug != run.slug}
            own_values = values[task][run.slug]
            found["against"] = {
                slug: differences
                for slug, theirs in others.items()
                if (differences := against(own_values, theirs))
            }
        save_figures(session, run, made[run.slug], _summary(run, made[run.slug], threshold))
    return made


def peers(session: Session, runs: Sequence[Run]) -> list[Run]:
    """Other runs over the same prompts that were evaluated before: their comparisons change with these."""
    sets, own = {run.prompt_set_id for run in runs}, {run.id for run in runs}
    known = evaluated_tasks(session)
    return [
        run
        for run in list_runs(session)
        if run.id in known and run.prompt_set_id in sets and run.id not in own
    ]


def task_figures(prompts: Sequence[Judged], threshold: float = THRESHOLD) -> dict[str, Any]:
    """The figures of one task's prompts: overall, by slice, types by rank."""
    return {
        "prompts": len(prompts),
        "overall": _plain(figures(prompts, threshold)),
        "slices": {
            by: {name: _plain(figures(own, threshold)) for name, own in parted(prompts, by).items()}
            for by in EVALUATED
        },
        "types": types_by_rank(prompts),
        "without_date_lm": without_date_lm(prompts),
    }


def compared_values(prompts: Iterable[Judged]) -> Values:
    """What `against` needs of a run: the measures that runs are compared by, of each prompt."""
    chosen = {name: measure for name, measure in measures().items() if name in COMPARED}
    found: Values = {name: {} for name in chosen}
    for prompt in prompts:
        for name, measure in chosen.items():
            if (value := measure(prompt)) is not None:
                found[name][prompt.external_id] = value
    return found


def against(ours: Values, theirs: Values) -> dict[str, dict[str, float]]:
    """How much higher ours are than theirs on the prompts both have: paired differences with intervals."""
    found = {}
    for name in COMPARED:
        shared = [key for key in ours[name] if key in theirs[name]]
        difference = paired_difference(
            [ours[name][key] for key in shared], [theirs[name][key] for key in shared]
        )
        if difference:
            found[name] = asdict(difference)
    return found


def _summary(run: Run, tasks: dict[str, Any], threshold: float) -> dict[str, Any]:
    first: dict[str, Any] = tasks.get("fact") or next(iter(tasks.values()), {"overall": {}})
    main = first["overall"]
    return {
        **{key: run.metrics[key] for key in KEPT if key in run.metrics},
        "mrr": main.get("mrr", {}).get("mean"),
        "recall_at_10": main.get("recall_at_10", {}).get("mean"),
        "tail_patch": main.get("tail_patch_10", {}).get("mean"),
        "ais_threshold": threshold,
        "evaluated_at": now().isoformat(timespec="seconds"),
    }


def _plain(found: dict[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: asdict(estimate) for name, estimate in found.items()}


def as_report(runs: Sequence[Run], made: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What `startrail evaluate --json` writes: by run what it is, its summary, and what `evaluate_runs` made of it."""
    return {
        run.slug: {
            "name": run.name,
            "method": run.method,
            "model": run.model.name,
            "corpus": run.corpus.name,
            "prompt_set": run.prompt_set.name,
            "buckets": "counts" if buckets_are_counts(run.prompt_set) else "file",
            **run.metrics,
            "tasks": made[run.slug],
        }
        for run in runs
    }
