"""Where an index's rows are searched: in this process, or by a cluster that it joins."""

from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from app.retrieval.search import Search, open_search
from app.trackstar.index import TrackstarIndex


@runtime_checkable
class SpreadSearch(Search, Protocol):
    """A search whose rows lie elsewhere, and may be out of reach."""

    def missed(self) -> list[tuple[int, int]]:
        """Rows, from one to before another, that the searches since this was asked last did not look at."""


class SearchPlace:
    """Opens searches.

    Args:
        cluster: an address for `app.cluster.joining.Cluster`; empty: this process.
    """

    def __init__(self, cluster: str = "") -> None:
        self._address = cluster
        self._joining: AbstractContextManager[Any] | None = None
        self._ray: Any = None

    def search(self, index: TrackstarIndex, device: str) -> Search:
        """A search over an opened index. The cluster is joined with the first, and left when the process ends.

        Raises:
            UserError: it cannot be joined, or the rows cannot be searched there.
        """
        if not self._address:
            return open_search(index, device=device)
        from app.cluster.joining import Cluster
        from app.cluster.searching import spread

        cluster = Cluster(self._address)
        if self._joining is None:
            self._joining = cluster.joined()
            self._ray = self._joining.__enter__()
        return spread(self._ray, cluster, index, "auto")
