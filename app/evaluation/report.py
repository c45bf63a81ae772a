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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.evaluation.figures import figures, types_by_rank, without_date_lm
from app.evaluation.judged import judged_prompts
from app.evaluation.metrics import THRESHOLD, Estimate, paired_difference
from app.evaluation.shares import Floats, Longs, NameColumn, Shares, keep_shares, name_kept, paired
from app.store.base import now
from app.store.evaluations import evaluated_tasks, save_figures
from app.store.prompts import buckets_are_counts
from app.store.runs import list_runs
from app.store.tables import Run
from app.words.measures import COMPARED
from app.words.slices import EVALUATED

KEPT = ("tail_patch_settings", "types_by", "ais_model", "doubt")


@dataclass(frozen=True, eq=False)
class Compared:
    """What `against` needs of a run: the measures that runs are compared by, of each prompt."""

    run: Run
    prompts: Longs
    tasks: NameColumn
    values: Mapping[str, Floats]

    @classmethod
    def of(cls, run: Run, shares: Shares) -> "Compared":
        """The part of a run's shares."""
        chosen = {name: shares.values[name] for name in COMPARED}
        return cls(run, shares.prompts, shares.parts["task"], chosen)


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
    compared: list[Compared] = []
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for done, run in enumerate(runs, 1):
        shares = Shares.of(judged_prompts(session, run), threshold)
        made[run.slug] = {task: task_figures(shares, task) for task in shares.parts["task"].names}
        compared.append(Compared.of(run, shares))
        keep_shares(session, run, shares)
        if progress:
            progress(done, len(runs))
    for own in compared:
        for found in made[own.run.slug].values():
            found["against"] = {}
        for other in compared:
            if other is not own:
                for task, differences in against(session, own, other).items():
                    made[own.run.slug][task]["against"][other.run.slug] = differences
    for run in runs:
        save_figures(session, run, made[run.slug], _summary(run, made[run.slug], threshold))
        name_kept(session, run)
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


def task_figures(shares: Shares, task: str) -> dict[str, Any]:
    """The figures of one task's prompts: overall, by slice, types by rank."""
    rows = shares.rows(task)
    return {
        "prompts": int(rows.sum()),
        "overall": _plain(figures(shares, rows)),
        "slices": {
            by: {name: _plain(figures(shares, part)) for name, part in _parted(shares, rows, by).items()}
            for by in EVALUATED
        },
        "types": types_by_rank(shares, rows),
        "without_date_lm": without_date_lm(shares, rows),
    }


def _parted(shares: Shares, rows: NDArray[np.bool_], by: str) -> dict[str, NDArray[np.bool_]]:
    """The rows parted by a slice, buckets in the order of their numbers."""
    names = sorted(shares.parts[by].names, key=lambda name: (len(name) if by == "bucket" else 0, name))
    parts = {name: rows & shares.parts[by].rows(name) for name in names}
    return {name: part for name, part in parts.items() if part.any()}


def against(session: Session, ours: Compared, theirs: Compared) -> dict[str, dict[str, dict[str, float]]]:
    """How much higher ours are than theirs on the prompts both have, by task: paired differences with intervals."""
    rows, others = paired(session, ours.run, theirs.run, ours.prompts, theirs.prompts)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task in ours.tasks.names:
        same = ours.tasks.rows(task)[rows] & theirs.tasks.rows(task)[others]
        for name in COMPARED:
            a, b = ours.values[name][rows[same]], theirs.values[name][others[same]]
            known = ~(np.isnan(a) | np.isnan(b))
            if difference := paired_difference(a[known], b[known]):
                found.setdefault(task, {})[name] = asdict(difference)
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
