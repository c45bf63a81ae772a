"""Tail-patch as work for whoever holds the model; see `app.models.hands.Work`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.models.hands import Done
from app.models.load import LoadedModel
from app.models.steps import TailPatch
from app.models.text import Query
from app.words.roles import Lesson


@dataclass(frozen=True)
class StepMade:
    """The step itself, which comes back without the model; arguments of `TailPatch`."""

    optimizer: str
    learning_rate: float | None
    sample: Sequence[Lesson]

    def begin(self, model: LoadedModel, /) -> Callable[[Sequence[None], Done], TailPatch]:
        """See `app.models.hands.Work.begin`."""
        return lambda piece, done: TailPatch(
            model, optimizer=self.optimizer, learning_rate=self.learning_rate, sample=self.sample
        )


@dataclass(frozen=True)
class StepsTaken:
    """What `TailPatch.after` says of passages and their queries."""

    patch: TailPatch

    def begin(
        self, model: LoadedModel, /
    ) -> Callable[[Sequence[tuple[Lesson, Sequence[Query]]], Done], list[list[float]]]:
        """See `app.models.hands.Work.begin`."""
        patch = self.patch.on(model)
        return lambda asked, done: patch.after(asked)
