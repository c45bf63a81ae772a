"""The members of a cluster, each of which holds what the work needs and computes one piece after another.

The process that was started hands out the pieces and takes the results in their order, so that what it makes of them is what it
would make by itself, byte for byte, on the same kind of device. A member that dies is started again, and its pieces are computed
again.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import torch

from app.cluster.joining import Cluster
from app.errors import Interrupted, UserError
from app.models.hands import Done, Held, Made, Work, unheard

RETRIES = 3  # of a piece whose member died: what kills four is the piece
EACH = 2  # pieces that a member has at once: the next is there when one is done
AHEAD = 4  # pieces a member that are done or under way, while the first of them is waited for


class Member:
    """One of the cluster's: what it holds, and the work that was begun with it last.

    Args:
        opening: gives what it holds. threads: that it computes with, one for each processor that it takes.
    """

    def __init__(self, opening: Callable[[], Any], threads: int = 1) -> None:
        torch.set_num_threads(threads)
        self._refused: UserError | None = None
        try:
            self._held = opening()
        except (
            UserError
        ) as error:  # raised here it would be a member that cannot be started, without a word why
            self._refused = error
        self._begun: tuple[str, Any] = ("", None)

    def compute(self, key: str, told: Sequence[Any], piece: Sequence[Any]) -> Any:
        """What `Hands.each` asks for.

        Args:
            key: of the work. told: where it is read, once.

        Raises:
            UserError: what the work raises, or what came of opening.
        """
        import ray

        if self._refused:
            raise self._refused
        if self._begun[0] != key:
            self._begun = ("", None)  # room first
            self._begun = (key, ray.get(told[0]).begin(self._held))
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


class ClusterHands(Generic[Held]):
    """Hands that are members of a cluster; see `app.models.hands.Hands`."""

    def __init__(self, ray: Any, members: Sequence[Any], kind: str) -> None:
        self._ray, self.members, self._kind = ray, members, kind

    @property
    def device(self) -> str:
        """The members' kind."""
        return self._kind

    @property
    def count(self) -> int:
        """See `Hands.count`."""
        return len(self.members)

    def each(
        self, work: Work[Held, Made], pieces: Iterable[Sequence[Any]], done: Done = unheard
    ) -> Iterator[Made]:
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
                f"The members of the cluster died {RETRIES + 1} times over one piece of work:"
                f" {str(error).splitlines()[0]}",
                field="cluster",
                remedy="See their logs for why (memory, as a rule); the same command goes on where this one was.",
            ) from None


def hired(
    ray: Any, cluster: Cluster, opening: Callable[[], Held], device: str, threads: int = 1
) -> ClusterHands[Held]:
    """Members of a cluster that was joined, as many as there is room for. They end with the last that names them.

    Args:
        opening: what each of them holds; called there.
        device: `cpu` or `cuda`.
        threads: of each, on processors.
    """
    needs = {"num_gpus": 1, "num_cpus": 0} if device == "cuda" else {"num_cpus": threads}
    actor = ray.remote(Member).options(max_restarts=-1, max_task_retries=RETRIES, **needs)
    count = cluster.count(ray, device, 1 if device == "cuda" else threads)
    return ClusterHands(ray, [actor.remote(opening, threads) for _ in range(count)], device)
