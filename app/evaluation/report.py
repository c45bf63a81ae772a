"""The figures of a run: metrics with intervals, by slice, tail-patch by depth, types by rank. Plain dictionaries."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from app.evaluation.judged import SLICES, Judged, judged_prompts, sliced
from app.evaluation.metrics import METRICS, entailed, estimate, paired_difference
from app.evaluation.types import KINDS
from app.store.tables import Run

DEPTHS = (1, 3, 5, 10)
LABELS = {
    "mrr": "MRR",
    "recall_at_1": "recall@1",
    "recall_at_10": "recall@10",
    "precision_at_10": "precision@10",
    "average_precision": "average precision",
    **{f"tail_patch_{k}": f"tail-patch@{k} (pp)" for k in DEPTHS},
}


def evaluate_run(session: Session, run: Run, *, task: str = "fact") -> dict[str, Any]:
    """Compute a run's figures over the prompts of a task and save them as its metrics.

    `mrr`, `recall_at_10` and `tail_patch` stand at the top, so that lists of runs can show them.
    """
    prompts = [each for each in judged_prompts(session, run) if each.task == task]
    kept = {key: run.metrics[key] for key in ("tail_patch_settings",) if key in run.metrics}
    overall = measures(prompts)
    run.metrics = {
        **kept,
        "task": task,
        "prompts": len(prompts),
        "overall": overall,
        "slices": {by: {name: measures(own) for name, own in sliced(prompts, by).items()} for by in SLICES},
        "types": types_by_rank(prompts),
        "mrr": (overall.get("mrr") or {}).get("mean"),
        "recall_at_10": (overall.get("recall_at_10") or {}).get("mean"),
        "tail_patch": (overall.get("tail_patch_10") or {}).get("mean"),
    }
    return run.metrics


def measures(prompts: Sequence[Judged]) -> dict[str, dict[str, float] | None]:
    """Every metric of some prompts: `{name: {mean, low, high, count}}`, None where nothing was judged."""
    out: dict[str, dict[str, float] | None] = {}
    judged = [each for each in prompts if each.judgeable]
    for name, metric in METRICS.items():
        found = estimate([metric(each.correct, each.relevant) for each in judged])
        out[name] = asdict(found) if found else None
    scored = [each for each in prompts if any(score is not None for score in each.ais)]
    if scored:
        for name, metric in METRICS.items():
            flags = [entailed(each.ais) for each in scored]
            found = estimate([metric(flag, sum(flag)) for flag in flags])
            out[f"ais_{name}"] = asdict(found) if found else None
    for k in DEPTHS:
        found = estimate(list(patch_means(prompts, k).values()))
        out[f"tail_patch_{k}"] = asdict(found) if found else None
    return out


def patch_means(prompts: Sequence[Judged], k: int) -> dict[int, float]:
    """Mean tail-patch of the first k proponents of each prompt for which they were measured, by prompt."""
    means = {}
    for each in prompts:
        values = [value for value in each.patches[:k] if value is not None]
        if values and len(values) == min(k, len(each.patches)):
            means[each.prompt_id] = sum(values) / len(values)
    return means


def types_by_rank(prompts: Sequence[Judged], depth: int = 10) -> list[dict[str, int]]:
    """How many passages of each type stand at each rank, from rank 1."""
    counts = [dict.fromkeys(KINDS, 0) for _ in range(depth)]
    for each in prompts:
        for rank, kind in enumerate(each.kinds[:depth]):
            if kind in KINDS:
                counts[rank][kind] += 1
    while counts and not any(counts[-1].values()):
        counts.pop()
    return counts


def compare_runs(
    session: Session, a: Run, b: Run, *, task: str = "fact"
) -> dict[str, dict[str, float] | None]:
    """How much higher run `a` is than `b` on the prompts both have: paired differences with intervals."""
    first, second = (
        {each.external_id: each for each in judged_prompts(session, run) if each.task == task}
        for run in (a, b)
    )
    shared = [key for key in first if key in second]
    pairs = [(first[key], second[key]) for key in shared if first[key].judgeable and second[key].judgeable]
    out: dict[str, dict[str, float] | None] = {}
    for name, metric in METRICS.items():
        left, right = ([metric(pair[at].correct, pair[at].relevant) for pair in pairs] for at in (0, 1))
        found = paired_difference(left, right)
        out[name] = asdict(found) if found else None
    ours, theirs = (patch_means(list(side.values()), 10) for side in (first, second))
    ids = [(first[key].prompt_id, second[key].prompt_id) for key in shared]
    both = [(ours[x], theirs[y]) for x, y in ids if x in ours and y in theirs]
    found = paired_difference([x for x, _ in both], [y for _, y in both])
    out["tail_patch_10"] = asdict(found) if found else None
    return out
