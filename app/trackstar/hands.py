"""Who computes what a build asks for: this process, or others that compute the same (`app.cluster`).

A build cuts its work into pieces and takes the results in the order of the pieces; whoever computes them changes no byte.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from app.models.load import LoadedModel

Made = TypeVar("Made", covariant=True)
Done = Callable[[int], None]


def unheard(count: int) -> None:
    """Progress that nobody asks for."""


class Work(Protocol[Made]):
    """What is done to each piece. It is pickled for another process, and begun there."""

    def begin(self, loaded: LoadedModel) -> Callable[[Sequence[Any], Done], Made]:
        """What makes of a piece its result, telling on the way how many examples are done."""


class Hands(Protocol):
    """Who computes."""

    @property
    def device(self) -> str:
        """The kind of device that it is computed on, `cpu` or `cuda`."""

    def each(self, work: Work[Made], pieces: Iterable[Sequence[Any]], done: Done = unheard) -> Iterator[Made]:
        """The result of each piece, in order.

        Args:
            pieces: read as they can be computed, not before.
            done: called with the number of examples finished.

        Raises:
            UserError: what the work raises. Interrupted: who computed is gone, and nobody else could do it.
        """


class OwnHands:
    """This process, one piece at a time."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._begun: tuple[Any, Any] = (None, None)

    @property
    def device(self) -> str:
        """Where its model is."""
        return self._loaded.device.type

    def each(self, work: Work[Made], pieces: Iterable[Sequence[Any]], done: Done = unheard) -> Iterator[Made]:
        """See `Hands.each`."""
        if self._begun[0] is not work:
            self._begun = (work, work.begin(self._loaded))
        return (self._begun[1](piece, done) for piece in pieces)
