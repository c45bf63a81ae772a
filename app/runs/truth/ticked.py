"""Trainings without small groups of passages, as a reader ticks them: they tell what a sum of influences is worth.

A training goes without one group for each of some prompts. What it predicts of a prompt is the influence of all that it goes
without, also for the others' sake.
"""

from typing import Any

import numpy as np

from app.runs.truth.trainings import EVERYTHING, Experiment, Trained, train
from app.showing import Bar
from app.truth.calibration import log_probability
from app.truth.plan import ticked
from app.words.methods import TWO_STAGES

DECIDING = TWO_STAGES  # whose influences are kept: nothing foretells better, and all but a hundred of a prompt's are nothing
PROMPTS = 50  # with a group of their own in one training
DIGITS = 6


def leave_ticked(
    experiment: Experiment,
    scores: np.ndarray,
    trainings: int,
    done: dict[str, Trained],
    bar: Bar,
    *,
    may_train: bool,
    seed: int,
) -> list[dict[str, Any]]:
    """Train what is missing, if that is wanted; the groups of what is done."""
    rows: list[dict[str, Any]] = []
    for number in range(trainings):
        prompts = range(number * PROMPTS, min((number + 1) * PROMPTS, len(experiment.prompts)))
        name = f"ticked-{number:02d}"
        if not prompts or not (may_train or name in done):
            continue
        groups = {at: ticked(scores[at], at, seed) for at in prompts}
        kept = np.ones(len(experiment.ids), dtype=bool)
        kept[np.concatenate(list(groups.values()))] = False
        margins = np.array(train(experiment, name, kept, done, bar)["margins"])
        change = log_probability(margins) - log_probability(np.array(done[EVERYTHING]["margins"]))
        sums = scores[:, ~kept].sum(1)
        rows += [
            {
                "training": name,
                "prompt": at,
                "passages": len(group),
                "left_out": int((~kept).sum()),
                "predicted": float(f"{sums[at]:.{DIGITS}g}"),
                "measured": round(float(change[at]), 4),
            }
            for at, group in groups.items()
        ]
    return rows


def influences(experiment: Experiment, scores: np.ndarray) -> dict[str, Any]:
    """Each prompt's passages of which something is claimed, by their ids, with their influence, the highest first."""
    orders = [[row for row in np.argsort(-own, kind="stable") if own[row]] for own in scores]
    return {
        "method": DECIDING,
        "passages": [[experiment.ids[row] for row in order] for order in orders],
        "scores": [
            [float(f"{own[row]:.{DIGITS}g}") for row in order]
            for own, order in zip(scores, orders, strict=True)
        ],
    }
