"""The points of the evaluation's curves: TrackStar at several values of one switch, each by a name that says the value."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from app.errors import UserError
from app.runs.ranking.variants import variant
from app.trackstar.config import EncodingConfig
from app.words.methods import TRACKSTAR, WHITENED, point_name

Variants = dict[str, EncodingConfig]


def mixing_variants(base: EncodingConfig, values: Sequence[float]) -> Variants:
    """TrackStar at each λ of the trade-off curve, beside the λ that the eigenvalue rule chooses and 0 (`WHITENED`).

    Raises:
        UserError: a value is not between 0 and 1.
    """
    whole = variant(base, TRACKSTAR)
    return {point_name(TRACKSTAR, "", value): replace(whole, mixing=value) for value in values}


def dimension_variants(base: EncodingConfig, values: Sequence[int]) -> Variants:
    """TrackStar with R_train at each d, in the index's own blocks: with another p.

    Raises:
        UserError: no p makes one of them.
    """
    return _points(base, "d", "projection_dim", [(value, _side(base, value)) for value in values])


def damping_variants(base: EncodingConfig, values: Sequence[float]) -> Variants:
    """TrackStar with R_train at each damping of R, as a share of its mean eigenvalue.

    Raises:
        UserError: one is not above zero.
    """
    return _points(base, "damping", "damping", [(value, value) for value in values])


def seed_variants(base: EncodingConfig, values: Sequence[int]) -> Variants:
    """TrackStar with R_train in the projection of each seed; R is fitted on the same passages."""
    return _points(base, "seed", "seed", [(value, value) for value in values])


def _points(base: EncodingConfig, switch: str, field: str, values: Iterable[tuple[float, Any]]) -> Variants:
    """A variant for each value and what it sets `field` to.

    The one at the index's own value is `WHITENED`, which every ablation has: it is not made twice.
    """
    plain = variant(base, WHITENED)
    own = getattr(plain, field)
    return {
        point_name(TRACKSTAR, switch, value): replace(plain, **{field: set_to})
        for value, set_to in values
        if set_to != own
    }


def _side(base: EncodingConfig, dimension: int) -> int:
    """p of this d: d is the number of blocks times p²."""
    near = max(1, round((dimension / base.blocks) ** 0.5))
    if base.blocks * near**2 == dimension:
        return near
    low = max(1, near - (base.blocks * near**2 > dimension))
    nearest = [f"{base.blocks * side**2:,} (p = {side})" for side in (low, low + 1)]
    raise UserError(
        f"No p makes d = {dimension:,}: with {base.groups} groups, as in this index, d is {base.blocks} · p².",
        field="dimensions",
        remedy=f"The nearest are {' and '.join(nearest)}.",
    )
