"""Recomputes the figures of /evaluation from exported files, in some twenty lines with numpy and nothing of Startrail.

startrail export RUN -o RUN.jsonl
python docs/recompute.py RUN.jsonl               # every measure, and the share of each type at each rank
python docs/recompute.py RUN.jsonl OTHER.jsonl   # how much higher than the other's, on the prompts both have
grep '"relation": "capital"' RUN.jsonl > part.jsonl && python docs/recompute.py part.jsonl   # of a slice
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.random import default_rng

KINDS = {
    "states": "States the fact", "both": "Names subject and answer, not the fact",
    "relation": "Same relation, other entity", "target": "Shares only the answer",
    "subject": "Shares only the subject", "name": "Shares part of a name", "none": "Shares neither name nor relation",
}  # fmt: skip


def measures(record, depth):
    """Every measure of one prompt that is known, by its name on the page; `depth`: passages the run keeps of a prompt."""
    lists = ("correct", "ais_scores", "tail_patches", "types")
    correct, ais, patches, types = (record.get(f"proponent_{name}") or [None] for name in lists)
    for by, judged, known in ("", correct, record.get("entailing_passage_ids", [])), (", by AIS", ais, []):
        if set(judged) - {None} or (known and not record.get("proponents")):
            ranks = np.flatnonzero([score is not None and score > 0.5 for score in judged]) + 1
            precisions = np.arange(1, ranks.size + 1) / ranks
            yield f"MRR{by}", (1 / ranks).max(initial=0)
            yield f"average precision{by}", precisions.sum() / max(len(known), ranks.size, 1)
            yield from ((f"recall@{k}{by}", (ranks <= k).any()) for k in (1, 3, 5, 10))
            yield from ((f"precision@{k}{by}", (ranks <= k).sum() / k) for k in (1, 3, 5, 10))
            if known and depth >= 50:
                yield "MRR, DATE-LM", (1 / ranks).max(initial=0)
                yield "Recall@50, DATE-LM", (ranks <= 50).sum() / max(len(known), ranks.size)
    yield from ((f"tail-patch@{k}", np.mean(patches[:k])) for k in (1, 3, 5, 10) if None not in patches[:k])
    yield from ((f"{kind} at {at}", own == kind) for at, own in enumerate(types, 1) if own for kind in KINDS)
    if told := [kind for kind in types[:10] if kind in KINDS]:
        yield from ((f"{KINDS[kind]}, share of the first 10", told.count(kind) / len(told)) for kind in KINDS)


runs = []
for file in sys.argv[1:]:
    records = [{"task": "fact"} | json.loads(line) for line in Path(file).read_bytes().splitlines()]
    depths = {}
    for r in records:
        depths[r["task"]] = max(depths.get(r["task"], 0), len(r.get("proponents") or ()))
    known = {(r["task"], r.get("example_id", r.get("trex_id"))): r for r in records}
    runs.append({key: dict(measures(r, depths[key[0]])) for key, r in known.items()})
for task, name in dict.fromkeys((key[0], name) for key, found in runs[0].items() for name in found):
    if shared := [key for key in runs[0] if key[0] == task and all(name in run.get(key, ()) for run in runs)]:
        values = np.array([runs[0][key][name] - sum(run[key][name] for run in runs[1:]) for key in shared])
        if len(values) > 10_000:
            low, high = values.mean() + 1.959964 * values.std() / len(values) ** 0.5 * np.array([-1, 1])
        else:
            low, high = np.quantile(
                default_rng(0).choice(values, (2000, len(values))).mean(1), [0.025, 0.975]
            )
        print(f"{task:<11} {name:<24} {values.mean():10.6f} [{low:.6f}, {high:.6f}]  {len(values):,} prompts")
