"""Figures: the mean of a measure over those prompts for which it is known, with its interval; and types, counted by rank."""

import numpy as np
from numpy.typing import NDArray

from app.evaluation.metrics import Estimate, estimates
from app.evaluation.shares import Shares
from app.words.measures import DATE_LM_AT, LABELS
from app.words.passages import TYPES

RANKS = 10  # at which types are counted
Rows = NDArray[np.bool_]  # (n,) of `Shares`: which are counted


def figures(shares: Shares, rows: Rows) -> dict[str, Estimate]:
    """Every measure that is known for some of the prompts, with its interval."""
    groups: dict[
        bytes, dict[str, NDArray[np.float64]]
    ] = {}  # those known of the same prompts are drawn together
    for name, column in shares.values.items():
        values = column[rows]
        known = ~np.isnan(values)
        groups.setdefault(known.tobytes(), {})[name] = values[known]
    found: dict[str, Estimate] = {}
    for columns in groups.values():
        found |= estimates(columns)
    return {name: found[name] for name in LABELS if name in found}


def without_date_lm(shares: Shares, rows: Rows) -> str:
    """Why there are no figures as DATE-LM has them; empty where there are."""
    deepest = shares.lengths[rows].max(initial=0)
    if deepest < DATE_LM_AT:
        return f"it keeps {deepest} passages of a prompt; startrail retrieve -k {DATE_LM_AT} keeps enough"
    if not shares.counted[rows].any():
        return "of none of its prompts is known how many passages state the fact"
    return ""


def types_by_rank(shares: Shares, rows: Rows) -> list[dict[str, int]]:
    """How many passages of each type stand at each rank, from rank 1."""
    counts = [
        dict(zip(TYPES, np.bincount(column, minlength=len(TYPES) + 1)[1:].tolist(), strict=True))
        for column in (shares.kinds_at(rank)[rows] for rank in range(1, RANKS + 1))
    ]
    while counts and not any(counts[-1].values()):
        counts.pop()
    return counts
