"""Searching an index whose rows are spread over a cluster: holders of a stretch of shards each, a question to all of them.

Whoever does not answer is stated: the rows that were not looked at. A holder that died is started again, and asked again from
the moment that it has its rows.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from app.cluster.joining import Cluster
from app.errors import UserError
from app.retrieval.ranking import ScoresAndRows, ranked
from app.trackstar.index import IndexPlace, TrackstarIndex

PATIENCE = 30.0  # seconds for an answer; who takes longer hangs, or is unreachable
SHARE = 0.01  # of a processor that a holder reserves: it is asked now and then, and must not keep encoders from starting
Stretch = tuple[int, int]
"""Rows from one to before another."""


class Holder:
    """A member that holds some shards of an index and searches them as one process would."""

    def __init__(self, place: IndexPlace, first: int, last: int, device: str) -> None:
        from app.retrieval.search import open_search

        self._search = open_search(place.opened().part(first, last), "exact", device=device)

    def search(self, queries: np.ndarray, k: int, opponents: bool) -> ScoresAndRows:
        """See `app.retrieval.search.Search.search`; rows are counted from the first that is held."""
        return self._search.search(queries, k, opponents=opponents)

    def process(self) -> int:
        """Its process's number on its machine; answered as soon as the rows are there."""
        import os

        return os.getpid()


@dataclass
class _Seat:
    """A stretch of shards, and who holds it now."""

    shards: Stretch
    rows: Stretch
    holder: Any
    awaited: Any | None
    """What has to be there before it is asked again; None: it answers."""


class ClusterSearch:
    """The exact search, shared out; see `app.retrieval.search.Search`. Not shared between threads.

    Args:
        ray: connected for as long as this searches. count: holders; no more than there are shards.

    Raises:
        UserError: the index at the same place elsewhere is another one.
    """

    kind = "exact"

    def __init__(self, ray: Any, index: TrackstarIndex, count: int, kind: str) -> None:
        self._ray, self._kind = ray, kind
        needs = {"num_gpus": 1, "num_cpus": 0} if kind == "cuda" else {"num_cpus": SHARE}
        self._actor = ray.remote(Holder).options(scheduling_strategy="SPREAD", **needs)
        self._place = index.place
        shards = index.manifest.shards
        cuts = [len(shards) * at // count for at in range(count + 1)]
        starts = [*(shard.start for shard in shards), index.manifest.passages]
        self.seats = [
            self._seated((first, last), (starts[first], starts[last]))
            for first, last in pairwise(cuts)
            if last > first
        ]
        self._missed: set[Stretch] = set()
        for seat in self.seats:
            self._got(seat.awaited)
            seat.awaited = None

    def search(self, queries: np.ndarray, k: int, *, opponents: bool = False) -> ScoresAndRows:
        """See `Search.search`; `missed` then tells of rows that were not searched."""
        asked = self._ray.put(np.ascontiguousarray(queries, dtype=np.float32))
        sent = {
            at: seat.holder.search.remote(asked, k, opponents)
            for at, seat in enumerate(self.seats)
            if self._back(seat)
        }
        if sent:
            self._ray.wait(list(sent.values()), num_returns=len(sent), timeout=PATIENCE)
        scores, rows = [np.zeros((len(queries), 0), np.float32)], [np.zeros((len(queries), 0), np.int64)]
        for at, seat in enumerate(self.seats):
            found = self._answer(seat, sent[at]) if at in sent else None
            if found is None:
                self._missed.add(seat.rows)
                continue
            sign = np.float32(-1.0 if opponents else 1.0)
            scores.append(np.where(found[1] < 0, np.float32(-np.inf), sign * found[0]))
            rows.append(np.where(found[1] < 0, -1, found[1] + seat.rows[0]))
        return ranked(np.concatenate(scores, 1), np.concatenate(rows, 1), k, 1.0, opponents)

    def missed(self) -> list[Stretch]:
        """Rows that were not searched in any of the searches since this was asked last."""
        told, self._missed = sorted(self._missed), set()
        return told

    def wait(self, seconds: float) -> None:
        """Give those that were started again so long to have their rows."""
        if awaited := [seat.awaited for seat in self.seats if seat.awaited is not None]:
            self._ray.wait(awaited, num_returns=len(awaited), timeout=seconds)

    def _seated(self, shards: Stretch, rows: Stretch) -> _Seat:
        holder = self._actor.remote(self._place, *shards, self._kind)
        return _Seat(shards, rows, holder, holder.process.remote())

    def _back(self, seat: _Seat) -> bool:
        """Whether a holder can be asked; one whose place is taken anew is asked once it has its rows."""
        if seat.awaited is not None and self._ray.wait([seat.awaited], timeout=0)[0]:
            try:
                self._ray.get(seat.awaited)
            except self._ray.exceptions.RayActorError:
                self._seat_again(seat)
            else:
                seat.awaited = None
        return seat.awaited is None

    def _answer(self, seat: _Seat, result: Any) -> ScoresAndRows | None:
        if not self._ray.wait([result], timeout=0)[0]:
            seat.awaited = result  # it hangs: asked again when it has answered this
            return None
        try:
            found: ScoresAndRows = self._got(result)
        except self._ray.exceptions.RayActorError:
            self._seat_again(seat)
            return None
        return found

    def _seat_again(self, seat: _Seat) -> None:
        anew = self._seated(seat.shards, seat.rows)
        seat.holder, seat.awaited = anew.holder, anew.awaited

    def _got(self, result: Any) -> Any:
        try:
            return self._ray.get(result)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise


def spread(ray: Any, cluster: Cluster, index: TrackstarIndex, device: str) -> ClusterSearch:
    """The rows of an index, held by a cluster that was joined.

    Args:
        device: `cpu`: rows are searched where they lie; `auto`: on GPUs where the cluster has some.

    Raises:
        UserError: the cluster has no such device, or another index at this place.
    """
    kind = cluster.kind(ray, device)
    return ClusterSearch(ray, index, cluster.count(ray, kind), kind)
