"""The products of all passages' whole gradients with many directions at once: what an experiment over a corpus asks.

`app.curvature.influence` never forms a passage's gradient, which is right for one question. For hundreds of questions it
is cheaper to form each weight's once and to multiply it with all of them; that takes as much memory as the directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from app.curvature.factors import Factors
from app.curvature.influence import preconditioned, whole_gradient
from app.models.batching import length_batches
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.hands import Done
from app.models.load import LoadedModel

BATCH_TOKENS = 2048


class _Products:
    """The sink that multiplies each example's whole gradient with every direction."""

    def __init__(self, directions: Sequence[torch.Tensor]) -> None:
        self.directions = directions
        self.products = self.squares = torch.zeros(0)

    def begin(self, examples: int) -> None:
        """Start from zero."""
        self.products = torch.zeros(examples, len(self.directions[0]), dtype=torch.float64)
        self.squares = torch.zeros(examples, dtype=torch.float64)

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs themselves."""
        return x

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part, ∇L = Σ_t δ_t x_tᵀ flattened as its directions are."""
        whole = torch.bmm(gradient.mT, kept).flatten(1)
        self.products += (whole @ self.directions[at].mT).double().cpu()
        self.squares += whole.square().sum(1, dtype=torch.float64).cpu()


def stacked(directions: Sequence[Sequence[torch.Tensor]]) -> list[torch.Tensor]:
    """For each weight the directions as rows (k, out · in), from k lists of matrices (out, in)."""
    return [torch.stack([one.flatten() for one in own]) for own in zip(*directions, strict=True)]


def products(
    capture: Capture,
    directions: Sequence[torch.Tensor],
    passages: Sequence[TrainingExample],
    *,
    done: Callable[[int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """∇L_m · u of each passage and direction, (n, k), and each ‖∇L_m‖, (n,); float64, 0 where no token has a loss.

    Args:
        directions: what `stacked` gives.
        done: called after each batch with the number of its passages.
    """
    sink = _Products(directions)
    found = torch.zeros(len(passages), len(directions[0]), dtype=torch.float64)
    lengths = torch.zeros(len(passages), dtype=torch.float64)
    for batch in length_batches([one.size for one in passages], BATCH_TOKENS):
        capture.run([passages[row] for row in batch], sink)
        found[batch], lengths[batch] = sink.products, sink.squares.sqrt()
        if done:
            done(len(batch))
    return found, lengths


@dataclass(frozen=True)
class WholeProducts:
    """`products` of passages with ∇L of each query and, behind these, with (H + damping)⁻¹ ∇L; see `app.models.hands.Work`.

    The directions are many times as large as the queries and factors that they are made of, so each makes its own.
    """

    queries: Sequence[TrainingExample]
    curvature: Mapping[str, Factors]

    def begin(
        self, loaded: LoadedModel, /
    ) -> Callable[[Sequence[TrainingExample], Done], tuple[torch.Tensor, torch.Tensor]]:
        """See `app.models.hands.Work.begin`."""
        capture = Capture(loaded)
        plain = [whole_gradient(capture, query) for query in self.queries]
        turned = [preconditioned(capture, self.curvature, query) for query in self.queries]
        directions = stacked([*plain, *turned])
        return lambda passages, done: products(capture, directions, passages, done=done)
