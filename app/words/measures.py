"""The measures: the name under which a figure is kept, and how it is called. `app.evaluation.measures` computes them.

Attribution asks whether a run's passages state the fact, by what the store knows or by AIS scores (`ais_…`); influence
asks whether a training step on them moves the model. Beside the two: what the first passages have to do with the fact, and
attribution as DATE-LM has it (arXiv 2507.09424), whose recall is another one than ours.
"""

from collections.abc import Container, Sequence

from app.words.passages import TYPES

DEPTHS = (1, 3, 5, 10)  # how many of the first passages a measure looks at
BY_DEPTH = {"recall_at": "recall@k", "precision_at": "precision@k", "tail_patch": "tail-patch@k"}
POINTS = "percentage points"

_ATTRIBUTION = {
    "mrr": "MRR",
    **{f"recall_at_{k}": f"recall@{k}" for k in DEPTHS},
    **{f"precision_at_{k}": f"precision@{k}" for k in DEPTHS},
    "average_precision": "average precision",
}
ATTRIBUTION = tuple(_ATTRIBUTION)
INFLUENCE = tuple(f"tail_patch_{k}" for k in DEPTHS)
TYPED_AT = DEPTHS[-1]  # of so many first passages the share of each type is a measure
TYPE_SHARES = {kind: f"type_{kind}_{TYPED_AT}" for kind in TYPES}
DATE_LM_AT = 50  # of so many first passages; a run that keeps fewer has no such figures
DATE_LM = ("date_lm_recall", "date_lm_mrr")
LABELS = {
    **_ATTRIBUTION,
    **{f"ais_{name}": f"{label}, by AIS" for name, label in _ATTRIBUTION.items()},
    **{f"tail_patch_{k}": f"tail-patch@{k}" for k in DEPTHS},
    "date_lm_recall": f"Recall@{DATE_LM_AT}, DATE-LM",
    "date_lm_mrr": "MRR, DATE-LM",
    **{measure: f"{TYPES[kind]}, share of the first {TYPED_AT}" for kind, measure in TYPE_SHARES.items()},
}

MAIN = ("mrr", "tail_patch_10")  # one of either kind: what curves and tables by slice are of
SHOWN = (  # a column each, where they are known
    "mrr", "recall_at_1", "recall_at_10", "precision_at_10", "average_precision", "tail_patch_1", "tail_patch_10",
)  # fmt: skip
WIDE = ("recall_at_1", "precision_at_10", "average_precision")  # left out where there is little room
SHOWN_BY_AIS = ("ais_mrr", "ais_recall_at_10")
COMPARED = ("mrr", "recall_at_10", "average_precision", "tail_patch_1", "tail_patch_10")  # of two runs


def measure_name(measure: str) -> str:
    """`recall_at_10` -> `recall@10`; `recall_at`, of any depth -> `recall@k`."""
    return BY_DEPTH[measure] if measure in BY_DEPTH else LABELS[measure]


def in_points(measure: str) -> bool:
    """Whether its figures are percentage points rather than shares from 0 to 1."""
    return measure.startswith("tail_patch")


def by_ais(measure: str) -> bool:
    """Whether it goes by AIS scores."""
    return measure.startswith("ais_")


def columns_of(figures: Sequence[Container[str]]) -> list[str]:
    """The measures that have a column: those known for some run."""
    shown = (*SHOWN, *SHOWN_BY_AIS, *DATE_LM)
    return [name for name in shown if any(name in each for each in figures)]


def are_judged(figures: Container[str]) -> bool:
    """Whether any of these figures judges a run: types alone say what its passages are, not how good."""
    return any(name in figures for name in (*SHOWN, *SHOWN_BY_AIS))
