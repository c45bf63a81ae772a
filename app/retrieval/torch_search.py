"""The exact search in torch, for a GPU without GPU FAISS and for many queries at once: chunked half-precision products and a
running top-k."""

from collections.abc import Iterable

import numpy as np
import torch

from app.retrieval.ranking import CHUNK, ScoresAndRows, ranked
from app.trackstar.index import TrackstarIndex


class TorchSearch:
    """Holds the rows on a device in float16; products are accumulated in float32."""

    kind = "exact"

    def __init__(self, index: TrackstarIndex, device: str) -> None:
        self._rows = torch.cat([torch.from_numpy(np.array(shard)) for shard in index.rows]).to(device)
        self._blank = torch.tensor(index.manifest.zero_rows, dtype=torch.long, device=device)
        self._scale = 1.0 / index.manifest.row_scale

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `app.retrieval.search.Search.search`."""
        signed = -queries if opponents else queries
        # Copied: what a cluster's member sent cannot be written to.
        asked = torch.tensor(signed, device=self._rows.device, dtype=torch.float32)
        pieces = self._rows.split(CHUNK)
        best, rows = best_among(pieces, asked, k, self._blank)
        return ranked(best.cpu().numpy(), rows.cpu().numpy(), k, self._scale, opponents)


def best_among(
    pieces: Iterable[torch.Tensor], asked: torch.Tensor, k: int, blank: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best rows of many queries at once, a piece of the rows at a time: of equal ones the first.

    Args:
        pieces: (m, d) float16, in the order of the rows. asked: (n, d) float32. blank: rows that are no hits.

    Returns:
        Scores (n, ≤ k) and rows (n, ≤ k), in no order; a blank row may be among them, with a score of -inf.
    """
    best = torch.empty(len(asked), 0, device=asked.device)
    rows = torch.empty(len(asked), 0, dtype=torch.long, device=asked.device)
    start = 0
    for piece in pieces:
        scores = asked @ piece.float().T  # (n, m); rows are float16, sums float32
        scores[:, blank[(blank >= start) & (blank < start + len(piece))] - start] = -torch.inf
        places = torch.arange(start, start + len(piece), device=asked.device).expand_as(scores)
        top, at = _best(scores, places, k)
        best, rows = _best(torch.cat([best, top], 1), torch.cat([rows, at], 1), k)
        start += len(piece)
    return best, rows


def _best(scores: torch.Tensor, rows: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k best of each line, in the order they stand in; of equal ones the first, where `topk` keeps any."""
    if scores.shape[1] <= k:
        return scores, rows
    least = scores.topk(k, dim=1).values[:, -1:]
    above, equal = scores > least, scores == least
    kept = above | (equal & (equal.cumsum(1) <= k - above.sum(1, keepdim=True)))
    places = kept.nonzero()[:, 1].view(-1, k)
    return scores.gather(1, places), rows.gather(1, places)
