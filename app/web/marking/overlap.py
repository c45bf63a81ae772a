"""How alike two rankings are: shared items, and rank-biased overlap. Pure functions over ranked keys."""

from collections.abc import Hashable, Sequence

PERSISTENCE = 0.9  # the weight moves down the list: the first ten ranks carry 86 % of it


def shared(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """How many items stand in both."""
    return len(set(a) & set(b))


def rank_biased_overlap(a: Sequence[Hashable], b: Sequence[Hashable], p: float = PERSISTENCE) -> float | None:
    """Rank-biased overlap, extrapolated (Webber, Moffat and Zobel 2010, equation 32): 0 strangers, 1 equal.

    Early ranks weigh more, lists of different length compare, and no item may stand twice in a list. None
    where one of them is empty.

    Args:
        a, b: keys in rank order.
        p: the chance that a reader goes on to the next rank.
    """
    short, long = sorted((list(a), list(b)), key=len)
    s, l = len(short), len(long)  # noqa: E741
    if not s:
        return None
    seen_short: set[Hashable] = set()
    seen_long: set[Hashable] = set()
    common = [0] * (l + 1)  # common[d]: items that both share among their first d
    for d in range(1, l + 1):
        seen_long.add(long[d - 1])
        if d <= s:
            seen_short.add(short[d - 1])
        common[d] = len(seen_short & seen_long)
    total = sum(common[d] / d * p**d for d in range(1, l + 1))
    total += sum(common[s] * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    extrapolated = ((common[l] - common[s]) / l + common[s] / s) * p**l
    return min(1.0, (1 - p) / p * total + extrapolated)
