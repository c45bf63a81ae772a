"""Encoding on a cluster: each member holds the model on a device of its own and computes one piece after another.

The process that builds hands out the pieces, takes the results in their order and writes them, so that plan, shards and
manifest are those of one process, byte for byte, and nothing but the model has to be at the same place on every machine. A
member that dies is started again, and its pieces are computed again.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from app.cluster.joining import Cluster
from app.errors import Interrupted, UserError
from app.models.load import LoadedModel, load_model
from app.trackstar.hands import Done, Hands, Made, OwnHands, Work, unheard

RETRIES = 3  # of a piece whose member died: what kills four is the piece
EACH = 2  # pieces that a member has at once: the next is there when one is done
AHEAD = 4  # pieces a member that are done or under way, while the first of them is waited for
Opening = Mapping[str, Any]
"""Arguments of `load_model`."""


class Member:
    """An encoder of the cluster: a model, and the work that was begun with it last."""

    def __init__(self, opening: Opening, sha256: str) -> None:
        torch.set_num_threads(1)  # one for each processor that it takes: see `Cluster.members`
        self._loaded = load_model(**opening)
        self._wrong = self._loaded.sha256 != sha256
        self._begun: tuple[str, Any] = ("", None)

    def compute(self, key: str, told: Sequence[Any], piece: Sequence[Any]) -> Any:
        """What `Hands.each` asks for.

        Args:
            key: of the work. told: where it is read, once.
        """
        import ray

        if self._wrong:
            raise UserError(
                f"The model {self._loaded.path} of {ray.util.get_node_ip_address()} is another than the one that is built"
                " with.",
                field="model",
                remedy="Put the same model at the same place on every machine.",
            )
        if self._begun[0] != key:
            self._begun = ("", None)  # room first
            self._begun = (key, ray.get(told[0]).begin(self._loaded))
        return self._begun[1](piece, unheard)

    def process(self) -> int:
        """Its process's number on its machine."""
        import os

        return os.getpid()


@dataclass(frozen=True)
class _Sent:
    result: Any
    member: int
    size: int


class ClusterHands:
    """Hands that are members of a cluster; see `app.trackstar.hands.Hands`."""

    def __init__(self, ray: Any, members: Sequence[Any], kind: str) -> None:
        self._ray, self.members, self._kind = ray, members, kind

    @property
    def device(self) -> str:
        """The members' kind."""
        return self._kind

    def each(self, work: Work[Made], pieces: Iterable[Sequence[Any]], done: Done = unheard) -> Iterator[Made]:
        """See `Hands.each`; progress is told piece by piece."""
        told = self._ray.put(work)
        waiting: deque[_Sent] = deque()
        left = iter(pieces)
        while True:
            self._hand_out(left, waiting, told)
            if not waiting:
                return
            open_ = self._unfinished(waiting)
            if waiting[0].result in open_:
                self._ray.wait(open_, num_returns=1, fetch_local=False)
                continue
            first = waiting.popleft()
            made = self._taken(first)
            done(first.size)
            yield made

    def _hand_out(self, pieces: Iterator[Sequence[Any]], waiting: deque[_Sent], told: Any) -> None:
        """Give every member enough to do, and no more than what fits in memory beside what is not taken yet."""
        open_ = set(self._unfinished(waiting))
        load = Counter(sent.member for sent in waiting if sent.result in open_)
        while len(waiting) < AHEAD * len(self.members):
            member = min(range(len(self.members)), key=lambda at: load[at])
            if load[member] >= EACH or (piece := next(pieces, None)) is None:
                return
            result = self.members[member].compute.remote(told.hex(), [told], piece)
            waiting.append(_Sent(result, member, len(piece)))
            load[member] += 1

    def _unfinished(self, waiting: Iterable[_Sent]) -> list[Any]:
        results = [sent.result for sent in waiting]
        if not results:
            return []
        _, open_ = self._ray.wait(results, num_returns=len(results), timeout=0, fetch_local=False)
        return list(open_)

    def _taken(self, sent: _Sent) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(sent.result)
        except errors.RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        except (errors.RayActorError, errors.ObjectLostError, ConnectionError) as error:
            raise Interrupted(
                f"The encoders of the cluster died {RETRIES + 1} times over one piece of work:"
                f" {str(error).splitlines()[0]}",
                field="cluster",
                remedy="See their logs for why (memory, as a rule); the same command goes on where this one was.",
            ) from None


def members_of(
    ray: Any, cluster: Cluster, opening: Opening, device: str
) -> Callable[[LoadedModel], ClusterHands]:
    """Who encodes on a cluster that was joined, once the model is known.

    Args:
        opening: how the model is opened, without `device`.
        device: as for one process: `auto`, `cpu` or `cuda`.

    Raises:
        UserError: the cluster has no such device.
    """
    kind = cluster.kind(ray, device)
    needs = {"num_gpus": 1, "num_cpus": 0} if kind == "cuda" else {"num_cpus": 1}
    actor = ray.remote(Member).options(max_restarts=-1, max_task_retries=RETRIES, **needs)
    how = {**opening, "path": Path(opening["path"]).resolve(), "device": kind}
    count = cluster.count(ray, kind)
    return lambda loaded: ClusterHands(ray, [actor.remote(how, loaded.sha256) for _ in range(count)], kind)


@contextmanager
def encoders(
    address: str, device: str, adapter: str, override: Mapping[str, str] | None
) -> Iterator[Callable[[LoadedModel], Hands]]:
    """Who encodes: a cluster that is joined until the block ends, or this process where no address is given.

    Args:
        device: of one process, or of the members: `auto`, `cpu` or `cuda`.
        adapter, override: how the model is opened, see `load_model`.

    Raises:
        UserError: the cluster cannot be joined, or has no such device.
    """
    if not address:
        yield OwnHands
        return
    cluster = Cluster(address)
    with cluster.joined() as ray:

        def hired(loaded: LoadedModel) -> ClusterHands:
            own = {"path": loaded.path, "dtype": loaded.dtype, "marks": loaded.marks}
            return members_of(ray, cluster, {**own, "adapter": adapter, "override": override}, device)(loaded)

        yield hired
