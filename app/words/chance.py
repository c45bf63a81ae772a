"""The chance floor of one ranking: what passages that have nothing to do with the query score, and how many score more.

Computed by `app.retrieval.chance`, kept with every ranking, drawn on its page.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

BINS_MOST = 400  # of a bell that comes with a file
COUNTED_MOST = 2_048  # passages beyond a floor are counted up to here; this many stands for "or more"


@dataclass(frozen=True)
class Chance:
    """The bell of all scores of one query, and its floor on either side; all in the unit of the ranking's scores.

    Args:
        passages: among which the ranking chose. sample: of these were looked at for the bell.
        centre, spread: median and robust standard deviation of the sample's scores.
        floor: the best of so many unrelated passages stays below it in 39 of 40 rankings.
        opponent_floor: and the most negative above this one.
        edges, counts: the sample's histogram; its first and last bin hold all that lies beyond them too.
        above: passages that score more than the floor. opponents_beyond: less than theirs. None: not counted.
    """

    passages: int
    sample: int
    centre: float
    spread: float
    floor: float
    opponent_floor: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above: int | None = None
    opponents_beyond: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"edges": list(self.edges), "counts": list(self.counts)}


def read_chance(value: object) -> Chance | None:
    """What `as_dict` wrote; None for anything else, for files say what they like."""
    if not isinstance(value, Mapping) or set(value) != set(Chance.__dataclass_fields__):
        return None
    edges, counts = value["edges"], value["counts"]
    if not (isinstance(edges, list) and isinstance(counts, list) and len(counts) + 1 == len(edges)):
        return None
    optional = [value[name] for name in ("above", "opponents_beyond") if value[name] is not None]
    whole = [value["passages"], value["sample"], *counts, *optional]
    real = [value["centre"], value["spread"], value["floor"], value["opponent_floor"], *edges]
    if len(counts) > BINS_MOST or not all(map(_count, whole)) or not all(map(_number, real)):
        return None
    return Chance(**{**value, "edges": tuple(edges), "counts": tuple(counts)})


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
