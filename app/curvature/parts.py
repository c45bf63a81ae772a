"""EK-FAC's factors of some of the weights, from a whole sample: a part, which needs nothing of the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import torch

from app.curvature.factors import Covariances, Curvatures, Factors
from app.curvature.passing import passed
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.hands import Done
from app.models.load import LoadedModel
from app.models.weights import LinearWeight

BUDGET = 1 << 30
"""Bytes that the sums of one part may take."""


@dataclass(frozen=True)
class PartFit:
    """The factors of parts of the weights, by the weights' numbers; see `app.models.hands.Work`.

    Args:
        sample: passages with a loss token. labels, seed: see `app.curvature.passing.passed`.
    """

    sample: Sequence[TrainingExample]
    labels: str
    seed: int

    def begin(self, loaded: LoadedModel, /) -> Callable[[Sequence[int], Done], dict[int, Factors]]:
        """See `app.models.hands.Work.begin`; the sample is gone through twice, and each time told."""
        capture = Capture(loaded)
        return lambda part, done: _fitted(capture, self.sample, part, self.labels, self.seed, done)


def parted(weights: Sequence[LinearWeight], budget: int) -> list[range]:
    """The weights in runs whose sums and bases fit into `budget` bytes; a weight too large stands alone."""
    parts: list[range] = []
    start, taken = 0, 0
    for at, weight in enumerate(weights):
        # Two squares in float64 while covariances are summed; then two bases in float32 and one sum of squares.
        size = 8 * (weight.in_features**2 + weight.out_features**2)
        size = max(size, size // 2 + 8 * weight.in_features * weight.out_features)
        if at > start and taken + size > budget:
            parts.append(range(start, at))
            start, taken = at, 0
        taken += size
    return [*parts, range(start, len(weights))]


def shared_out(weights: Sequence[LinearWeight], budget: int, count: int) -> list[range]:
    """Parts as `parted` has them; where several fit at once, as many for each, and so no larger than that allows."""
    if count == 1:
        return parted(weights, budget)
    wanted = count * ceil(len(parted(weights, budget)) / count)
    low, high = 0, budget
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if len(parted(weights, middle)) <= wanted else (middle, high)
    return parted(weights, high)


def _fitted(
    capture: Capture,
    sample: Sequence[TrainingExample],
    part: Sequence[int],
    labels: str,
    seed: int,
    went: Callable[[int], None],
) -> dict[int, Factors]:
    bases = _bases(capture, sample, part, labels, seed, went)
    squares = Curvatures(bases)
    passed(capture, sample, squares, labels, seed, went)
    return {
        at: Factors(left.cpu(), right.cpu(), (squares.sums[at] / len(sample)).float().cpu())
        for at, (left, right) in bases.items()
    }


def _bases(
    capture: Capture,
    sample: Sequence[TrainingExample],
    part: Sequence[int],
    labels: str,
    seed: int,
    went: Callable[[int], None],
) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    """Q_S and Q_A of each weight; the sums they come from are let go on return."""
    sums = Covariances(capture.loaded.weights, part, capture.loaded.device)
    passed(capture, sample, sums, labels, seed, went, before=sums.expect)
    return {at: sums.bases(at, capture.loaded.dtype) for at in part}
