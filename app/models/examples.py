"""What a model is given to learn from: token ids, and which of them carry loss. Knows neither tokenizers nor tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

Place = tuple[int, int] | None
"""A token's characters in the text it came from; None: it has none there."""


@dataclass(frozen=True)
class TrainingExample:
    """What the model reads: token ids, and the positions (≥ 1) of the tokens whose loss is taken.

    Args:
        cut: the text was longer than the context, its end was left out.
        against: of a pair, the sequence whose loss is subtracted: this one was chosen rather than it.
    """

    ids: tuple[int, ...]
    targets: tuple[int, ...]
    cut: bool = False
    against: Self | None = None

    @property
    def sequences(self) -> tuple["TrainingExample", ...]:
        """What is read at once, each alone: this, and what it was chosen rather than."""
        alone = replace(self, against=None) if self.against else self
        return (alone, self.against) if self.against else (alone,)

    @property
    def size(self) -> int:
        """Tokens that it takes of a batch, padding included; 0 where no token carries loss."""
        if not self.targets:
            return 0
        return 2 * max(len(one.ids) for one in self.sequences) if self.against else len(self.ids)

    def first(self, tokens: int) -> Self:
        """Its first so many tokens."""
        against = self.against.first(tokens) if self.against else None
        targets = tuple(place for place in self.targets if place < tokens)
        if against and not (targets and against.targets):  # what is left of a pair compares nothing
            targets, against = (), None
        return replace(self, ids=self.ids[:tokens], targets=targets, against=against)


def rows_of(examples: Sequence[TrainingExample]) -> list[tuple[TrainingExample, int]]:
    """The sequences of a batch with the sign of their loss, as many for each example: one, or two where any is a pair."""
    if not any(example.against for example in examples):
        return [(example, 1) for example in examples]
    nothing = TrainingExample((), ())
    return [
        row for example in examples for row in ((example.sequences[0], 1), (example.against or nothing, -1))
    ]


@dataclass(frozen=True)
class Located:
    """An example with, for every token, its character offsets in the text it came from (None: BOS, EOS).

    Args:
        against: the same of what it was chosen rather than.
    """

    example: TrainingExample
    offsets: tuple[Place, ...]
    against: tuple[Place, ...] = ()
