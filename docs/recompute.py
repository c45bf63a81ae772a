"""Recomputes the figures of /evaluation from exported files alone, with numpy and nothing of Startrail.

startrail evaluate --json evaluation.json
startrail export RUN -o RUN.jsonl             # for each run; the file bears the run's name
python docs/recompute.py evaluation.json RUN.jsonl …
"""

import json
import sys
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
        found |= {
            f"{by}mrr": 1 / ranks[0] if ranks else 0,
            f"{by}precision_at_10": sum(r <= 10 for r in ranks) / 10,
        }
        found |= {f"{by}recall_at_{k}": float(any(r <= k for r in ranks)) for k in (1, 10)}
        total = max(len(ranks), 0 if by else relevant) or 1
        found[f"{by}average_precision"] = sum(n / r for n, r in enumerate(ranks, 1)) / total
    top = {k: patches[:k] for k in (1, 3, 5, 10)}
    return found | {f"tail_patch_{k}": np.mean(own) for k, own in top.items() if own and None not in own}


differ = 0
for run, records in runs.items():
    for task, shown in page[run]["tasks"].items():
        own = [measures(r, stating.get((page[run]["prompt_set"], r["example_id"]), 0), page[run]["ais_threshold"])
               for r in records if r.get("task", "fact") == task]  # fmt: skip
        for name in dict.fromkeys([*shown["overall"], *(name for each in own for name in each)]):
            values = np.array([each[name] for each in own if name in each] or [np.nan])
            drawn = values[np.random.default_rng(0).integers(0, len(values), (2000, len(values)))].mean(1)
            ours = [values.mean(), *np.quantile(drawn, [0.025, 0.975]), len(values)]
            theirs = [
                shown["overall"].get(name, {}).get(part, np.nan) for part in ("mean", "low", "high", "count")
            ]
            same = np.allclose(ours, theirs, rtol=0, atol=1e-9)
            differ += not same
            print(f"{run:<24} {task:<12} {name:<22} {ours[0]:8.4f} [{ours[1]:.4f}, {ours[2]:.4f}] over {ours[3]:,}",
                  "as on the page" if same else f"DIFFERS: {theirs}")  # fmt: skip
sys.exit(f"{differ} figures differ." if differ else 0)
