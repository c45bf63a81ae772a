"""Recomputes every figure of /evaluation from exported files alone, with numpy and nothing of Startrail.

startrail evaluate --json evaluation.json
startrail export RUN -o RUN.jsonl             # for each run; the file bears the run's name
python docs/recompute.py evaluation.json RUN.jsonl …
"""

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np

page = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
lines = {Path(name).stem: Path(name).read_text(encoding="utf-8").split("\n") for name in sys.argv[2:]}
runs = {run: [json.loads(line) for line in own if line] for run, own in lines.items()}
stating = {  # how many passages state a prompt's fact: what any run over the same prompts says
    (page[run]["prompt_set"], r["example_id"]): len(r["entailing_passage_ids"])
    for run, records in runs.items() for r in records if "entailing_passage_ids" in r
}  # fmt: skip


def measures(record, relevant, threshold):
    """Every measure of one prompt that is known."""
    empty, found = [None] * len(record.get("proponents", [])), {}
    truth, ais, patches = (
        record.get(f"proponent_{name}") or empty for name in ("correct", "ais_scores", "tail_patches")
    )
    judged = {"": truth} if relevant or set(truth) - {None} else {}
    judged |= {"ais_": [s is not None and s >= threshold for s in ais]} if set(ais) - {None} else {}
    for by, good in judged.items():
        ranks = [rank for rank, each in enumerate(good, 1) if each]
        total = max(len(ranks), 0 if by else relevant) or 1
        found[f"{by}mrr"] = 1 / ranks[0] if ranks else 0
        found[f"{by}average_precision"] = sum(n / r for n, r in enumerate(ranks, 1)) / total
        for k in (1, 3, 5, 10):
            found[f"{by}recall_at_{k}"] = float(any(r <= k for r in ranks))
            found[f"{by}precision_at_{k}"] = sum(r <= k for r in ranks) / k
    top = {k: patches[:k] for k in (1, 3, 5, 10)}
    return found | {f"tail_patch_{k}": np.mean(own) for k, own in top.items() if own and None not in own}


def parts(record):
    """Where the prompt stands in each slice."""
    sure = record.get("8b_confidence")
    yield "relation", record.get("relation")
    yield "bucket", record.get("c4_frequency_bucket")
    yield "right", {True: "yes", False: "no"}.get(record.get("is_8b_correct"))
    yield "confidence", None if sure is None else "high" if sure >= 0.5 else "low"


@cache
def draws(count):
    """Which prompts are drawn for the interval: of as many prompts, the same."""
    return np.random.default_rng(0).integers(0, count, (2000, count))


def estimates(prompts):
    """Mean, 95% interval and count of every measure that some of the prompts have."""
    found = {}
    for name in dict.fromkeys(name for each in prompts for name in each):
        values = np.array([each[name] for each in prompts if name in each])
        low, high = np.quantile(values[draws(len(values))].mean(1), [0.025, 0.975])
        found[name] = {"mean": values.mean(), "low": low, "high": high, "count": len(values)}
    return found


def figures(run, task):
    """All that the page says of a run on a task."""
    records, own, slices = {r["example_id"]: r for r in tasks[run, task]}, values[run, task], {}
    types, against = [{} for _ in range(10)], {}
    for id_, record in records.items():
        for by, part in parts(record):
            if part is not None:
                slices.setdefault(by, {}).setdefault(str(part), []).append(own[id_])
        for rank, kind in zip(types, record.get("proponent_types") or [], strict=False):
            rank[kind] = rank.get(kind, 0) + 1
    for other in runs:
        theirs = values.get((other, task), {}) if other != run else {}
        pairs = [(own[id_], theirs[id_]) for id_ in own if id_ in theirs]
        against[other] = estimates(
            [{m: a[m] - b[m] for m in COMPARED if m in a and m in b} for a, b in pairs]
        )
    by_part = {by: {part: estimates(some) for part, some in each.items()} for by, each in slices.items()}
    overall = estimates(list(own.values()))
    return {"prompts": len(own), "overall": overall, "slices": by_part, "types": types, "against": against}


def numbers(tree, *path):
    """Every number of nested figures, with its place; counts of 0 are left out."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree, 1):
        if isinstance(value, dict | list):
            yield from numbers(value, *path, str(key))
        elif value or path[:1] != ("types",):
            yield (*path, str(key)), value


COMPARED = ("mrr", "recall_at_10", "average_precision", "tail_patch_1", "tail_patch_10")
tasks, values = {}, {}
for run, records in runs.items():
    for r in records:
        relevant = stating.get((page[run]["prompt_set"], r["example_id"]), 0)
        tasks.setdefault((run, r.get("task", "fact")), []).append(r)
        values.setdefault((run, r.get("task", "fact")), {})[r["example_id"]] = measures(
            r, relevant, page[run]["ais_threshold"]
        )
differ = 0
for run, task in tasks:
    shown = page[run]["tasks"][task]
    shown["against"] = {other: each for other, each in shown["against"].items() if other in runs}
    ours, theirs = dict(numbers(figures(run, task))), dict(numbers(shown))
    wrong = [at for at in ours | theirs
             if not np.isclose(ours.get(at, np.inf), theirs.get(at, -np.inf), rtol=0, atol=1e-9)]  # fmt: skip
    differ += len(wrong)
    print(f"{run:<32} {task:<12} {len(ours):>6,} numbers, {len(wrong)} differ")
    for at in wrong:
        print("  DIFFERS", *at, "here:", ours.get(at, "none"), "there:", theirs.get(at, "none"))
sys.exit(f"{differ} numbers differ." if differ else 0)
