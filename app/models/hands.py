"""Who computes what is asked for: this process, or others that compute the same (`app.cluster`).

Whoever has much to compute cuts it into pieces and takes the results in the order of the pieces; who computes them changes no
byte. Hands hold what the work needs: a model, as a rule.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from app.models.load import LoadedModel

Made = TypeVar("Made", covariant=True)
Needed = TypeVar("Needed", contravariant=True)
Held = TypeVar("Held", covariant=True)
Done = Callable[[int], None]


def unheard(count: int) -> None:
    """Progress that nobody asks for."""


class Work(Protocol[Needed, Made]):
    """What is done to each piece. It is pickled for another process, and begun there."""

    def begin(self, held: Needed, /) -> Callable[[Sequence[Any], Done], Made]:
        """What makes of a piece its result, telling on the way how many examples are done."""


class Hands(Protocol[Held]):
    """Who computes."""

    @property
    def device(self) -> str:
        """The kind of device that it is computed on, `cpu` or `cuda`."""

    @property
    def count(self) -> int:
        """How many compute at once. One tells of every example, several of each piece that is done."""

    def each(
        self, work: Work[Held, Made], pieces: Iterable[Sequence[Any]], done: Done = unheard
    ) -> Iterator[Made]:
        """The result of each piece, in order.

        Args:
            pieces: read as they can be computed, not before.
            done: called with the number of examples finished.

        Raises:
            UserError: what the work raises. Interrupted: who computed is gone, and nobody else could do it.
        """


class OwnHands(Generic[Held]):
    """This process, one piece at a time.

    Args:
        device: the kind that `held` is on.
    """

    def __init__(self, held: Held, device: str = "cpu") -> None:
        self._held, self._kind = held, device
        self._begun: tuple[Any, Any] = (None, None)

    @property
    def device(self) -> str:
        """See `Hands.device`."""
        return self._kind

    @property
    def count(self) -> int:
        """See `Hands.count`."""
        return 1

    def each(
        self, work: Work[Held, Made], pieces: Iterable[Sequence[Any]], done: Done = unheard
    ) -> Iterator[Made]:
        """See `Hands.each`."""
        if self._begun[0] is not work:
            self._begun = (work, work.begin(self._held))
        return (self._begun[1](piece, done) for piece in pieces)


def own_hands(loaded: LoadedModel) -> OwnHands[LoadedModel]:
    """This process, with its model."""
    return OwnHands(loaded, loaded.device.type)
