"""Searching a corpus that passes by once: what is best for each query so far, and what is more than chance.

For variants whose encodings are made, scored and forgotten; an index is never written.
"""

from dataclasses import replace

import numpy as np
import torch

from app.retrieval.ranking import BestRows
from app.runs.saving import PromptRanking, rankings_of
from app.trackstar.encode import Encoder
from app.words.chance import Chance


class StreamedSearch:
    """One variant's search while the corpus passes by: its queries, and the best of what passed.

    Args:
        mixed, alone: finish gradients for facts, and for the other tasks.
        queries: (queries, d) float32. facts: (queries,) which of them are about facts.
    """

    def __init__(
        self, mixed: Encoder, alone: Encoder, queries: np.ndarray, facts: np.ndarray, k: int, opponents: int
    ) -> None:
        self.mixed, self.alone, self.queries, self.facts = mixed, alone, queries, facts
        self.best = (BestRows.empty(len(queries), k), BestRows.empty(len(queries), opponents))
        self.chances: list[Chance | None] = [None] * len(queries)
        self._beyond = np.zeros((2, len(queries)), dtype=np.int64)

    def offer(self, gradients: torch.Tensor, start: int) -> None:
        """The passages from row `start` on pass by."""
        scores = self.scores(gradients)
        scores[:, ~usable_rows(gradients)] = np.nan
        floors = np.array(
            [(each.floor, -each.opponent_floor) if each else (np.inf,) * 2 for each in self.chances]
        )
        for side, signed in enumerate((scores, -scores)):
            self._beyond[side] += (signed > floors[:, side, None]).sum(1)
            self.best[side].offer(np.where(np.isnan(signed), -np.inf, signed), start)

    def scores(self, gradients: torch.Tensor) -> np.ndarray:
        """(queries, passages) float32."""
        rows = self.mixed.finish(gradients)
        if self.alone is self.mixed or self.facts.all():
            return self.queries @ rows.T
        scores = np.empty((len(self.queries), len(rows)), dtype=np.float32)
        scores[self.facts] = self.queries[self.facts] @ rows.T
        scores[~self.facts] = self.queries[~self.facts] @ self.alone.finish(gradients).T
        return scores

    def rankings(self) -> list[PromptRanking]:
        """The ranking of each query."""
        high, low = self.best
        chances = [
            each and replace(each, above=int(above), opponents_beyond=int(beyond) if low.k else None)
            for each, above, beyond in zip(self.chances, *self._beyond, strict=True)
        ]
        return rankings_of((high.scores, high.rows), (-low.scores, low.rows) if low.k else None, chances)


def usable_rows(gradients: torch.Tensor) -> np.ndarray:
    """Which rows can be hits: neither blank nor degenerate."""
    return np.asarray(gradients.any(1) & gradients.isfinite().all(1))
