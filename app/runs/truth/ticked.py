"""Trainings without small groups of passages, as a reader ticks them: they tell what a sum of influences is worth.

A training goes without one group for each of some prompts. What it predicts of a prompt is the influence of all that it goes
without, also for the others' sake.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.runs.truth.trainings import Experiment, Trained
from app.truth.calibration import log_probability
from app.truth.plan import ticked
from app.words.methods import TWO_STAGES

DECIDING = TWO_STAGES  # whose influences are kept: nothing foretells better, and all but a hundred of a prompt's are nothing
PROMPTS = 50  # with a group of their own in one training
DIGITS = 6


@dataclass(frozen=True)
class Ticked:
    """A training without a group of passages for each of some prompts.

    Args:
        kept: (passages,) bool, what the model sees. groups: prompt -> its own group of what it does not.
    """

    name: str
    kept: np.ndarray
    groups: Mapping[int, np.ndarray]


def ticked_groups(experiment: Experiment, scores: np.ndarray, trainings: int, seed: int) -> list[Ticked]:
    """So many trainings, or as many as there are prompts for."""
    found: list[Ticked] = []
    for number in range(trainings):
        prompts = range(number * PROMPTS, min((number + 1) * PROMPTS, len(experiment.prompts)))
        if prompts:
            groups = {at: ticked(scores[at], at, seed) for at in prompts}
            kept = np.ones(len(experiment.ids), dtype=bool)
            kept[np.concatenate(list(groups.values()))] = False
            found.append(Ticked(f"ticked-{number:02d}", kept, groups))
    return found


def rows_of(
    training: Ticked, scores: np.ndarray, trained: Trained, everything: Trained
) -> list[dict[str, Any]]:
    """What a training that is done says of each of its groups.

    Args:
        everything: the training with all passages.
    """
    margins = np.array(trained["margins"])
    change = log_probability(margins) - log_probability(np.array(everything["margins"]))
    sums = scores[:, ~training.kept].sum(1)
    return [
        {
            "training": training.name,
            "prompt": at,
            "passages": len(group),
            "left_out": int((~training.kept).sum()),
            "predicted": float(f"{sums[at]:.{DIGITS}g}"),
            "measured": round(float(change[at]), 4),
        }
        for at, group in training.groups.items()
    ]


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
