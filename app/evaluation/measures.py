"""Every measure of one prompt under its name (`app.words.measures`): the one place that says what a figure is made of."""

from collections.abc import Callable, Sequence
from functools import partial

from app.evaluation.judged import Judged
from app.evaluation.metrics import (
    THRESHOLD,
    average_precision,
    entailed,
    precision_at,
    recall_at,
    recall_of,
    reciprocal_rank,
)
from app.words.measures import DATE_LM_AT, DEPTHS, TYPE_SHARES, TYPED_AT
from app.words.passages import TYPES

Measure = Callable[[Judged], float | None]


def _recall(k: int, ranking: Sequence[bool], relevant: int) -> float:
    return recall_at(ranking, k)


def _precision(k: int, ranking: Sequence[bool], relevant: int) -> float:
    return precision_at(ranking, k)


_RANKED: dict[str, Callable[[Sequence[bool], int], float]] = {
    "mrr": lambda ranking, relevant: reciprocal_rank(ranking),
    **{f"recall_at_{k}": partial(_recall, k) for k in DEPTHS},
    **{f"precision_at_{k}": partial(_precision, k) for k in DEPTHS},
    "average_precision": average_precision,
}


def measures(threshold: float = THRESHOLD) -> dict[str, Measure]:
    """All measures by name.

    Args:
        threshold: AIS scores from here on state the fact.
    """
    made: dict[str, Measure] = {}
    for name, metric in _RANKED.items():
        made[name] = partial(_by_truth, metric)
    for name, metric in _RANKED.items():
        made[f"ais_{name}"] = partial(_by_ais, metric, threshold)
    for k in DEPTHS:
        made[f"tail_patch_{k}"] = partial(mean_patch, k)
    made["date_lm_recall"] = partial(
        _by_date_lm, lambda each: recall_of(each.correct, DATE_LM_AT, each.relevant)
    )
    made["date_lm_mrr"] = partial(_by_date_lm, lambda each: reciprocal_rank(each.correct))
    for kind, name in TYPE_SHARES.items():
        made[name] = partial(type_share, kind)
    return made


def _by_truth(metric: Callable[[Sequence[bool], int], float], prompt: Judged) -> float | None:
    return metric(prompt.correct, prompt.relevant) if prompt.judgeable else None


def _by_ais(metric: Callable[[Sequence[bool], int], float], threshold: float, prompt: Judged) -> float | None:
    if all(score is None for score in prompt.ais):
        return None
    flags = entailed(prompt.ais, threshold)
    return metric(flags, sum(flags))


def _by_date_lm(metric: Callable[[Judged], float], prompt: Judged) -> float | None:
    """Over prompts whose fact some passage is known to state."""
    return metric(prompt) if prompt.judgeable and prompt.counted else None


def mean_patch(k: int, prompt: Judged) -> float | None:
    """Mean tail-patch of the first k proponents, in percentage points; None unless all of them were measured."""
    values = prompt.patches[:k]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def type_share(kind: str, prompt: Judged) -> float | None:
    """What share of the first passages is of this type; None where none of them has one of `TYPES`."""
    known = [each for each in prompt.kinds[:TYPED_AT] if each in TYPES]
    return known.count(kind) / len(known) if known else None
