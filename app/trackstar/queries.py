"""Queries encoded as an index's passages are, as work for whoever holds its model; see `app.models.hands.Work`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.models.hands import Done
from app.models.load import LoadedModel
from app.models.text import Query
from app.trackstar.index import IndexPlace

Against = tuple[Query, Query | None]
"""A query, and what it is asked against; None where it is asked alone."""


@dataclass(frozen=True)
class QueryRows:
    """Encodings of queries, (n, d) float32; see `app.trackstar.encode.Encoder.encode_against`.

    Args:
        index: read on the machine that encodes, V and R^(-1/2) with it.
    """

    index: IndexPlace

    def begin(self, loaded: LoadedModel, /) -> Callable[[Sequence[Against], Done], np.ndarray]:
        """See `app.models.hands.Work.begin`.

        Raises:
            UserError: as `IndexPlace.opened` and `TrackstarIndex.encoder`.
        """
        encoder = self.index.opened().encoder(loaded)
        return lambda piece, done: encoder.encode_against(
            [query for query, _ in piece], [other for _, other in piece]
        )
