"""Which passages each training of a leave-out experiment goes without, drawn so that anybody can draw them again."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Halves:
    """The random parts of a corpus that models are trained on.

    Args:
        passages: how many the corpus has. share: of them that stays in. seed: of the draws.
    """

    passages: int
    share: float
    seed: int

    def kept(self, number: int) -> np.ndarray:
        """(passages,) bool: what training `number` (from 0) sees. Each number has a draw of its own."""
        order = np.random.default_rng([self.seed, number]).permutation(self.passages)
        kept = np.zeros(self.passages, dtype=bool)
        kept[order[: round(self.share * self.passages)]] = True
        return kept


def first_percent(scores: np.ndarray, percent: float = 1.0) -> np.ndarray:
    """Rows of the `percent` of passages with the highest scores, ties by row; scores (passages,)."""
    count = max(1, round(len(scores) * percent / 100))
    return np.lexsort((np.arange(len(scores)), -scores))[:count]


def groups_of(relations: list[str], size: int, groups: int) -> list[list[int]]:
    """Queries in groups, none with two of one relation: what a group goes without is left out in one training.

    Args:
        relations: of each query, in the order in which they were drawn.
    """
    made: list[list[int]] = [[] for _ in range(groups)]
    for at, relation in enumerate(relations):
        for group in made:
            if len(group) < size and relation not in {relations[other] for other in group}:
                group.append(at)
                break
    return [group for group in made if group]


SIZES = (1, 2, 3, 5, 8, 13, 20)  # passages of a group that somebody might tick
AMONG = 40  # of a method's first


def ticked(scores: np.ndarray, prompt: int, seed: int) -> np.ndarray:
    """Rows of a random few of the passages that a method puts first for a prompt, as a reader might tick them.

    Args:
        scores: (passages,), the method's. prompt: its place; each has a draw of its own.
    """
    rng = np.random.default_rng([seed, 1, prompt])
    first = np.lexsort((np.arange(len(scores)), -scores))[:AMONG]
    return np.sort(rng.choice(first, size=min(int(rng.choice(SIZES)), len(first)), replace=False))
