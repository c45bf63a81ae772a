"""EK-FAC's factors of one weight: the bases of its Kronecker factors, and the curvature along each pair of directions.

    A = Σ x xᵀ,  S = Σ δ δᵀ                      over tokens;  A = Q_A · Qᵀ_A,  S = Q_S · Qᵀ_S  (eigenvectors)
    Λ_ij = mean over examples of (Q_Sᵀ ∇L Q_A)²_ij,   ∇L = Σ_t δ_t x_tᵀ   (eigenvalues, corrected)

Martens & Grosse 2015 (K-FAC), George et al. 2018 (eigenvalue correction), Grosse et al. 2023 §3.3 (language models).
Only directions are taken from A and S, so how they are counted does not matter; their size comes from Λ alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from app.models.capture import EXACT_CHUNK
from app.models.examples import TrainingExample
from app.models.weights import LinearWeight

DAMPING = 0.1
"""Of each weight's mean curvature (Grosse et al. 2023 §3.3)."""


@dataclass(frozen=True)
class Factors:
    """One weight's curvature, for y = W x with W (out, in).

    Args:
        left: Q_S, (out, out). right: Q_A, (in, in). Columns are eigenvectors.
        curvature: Λ, (out, in), float32.
        damping: what is added to Λ where nothing else is asked, as a share of its mean.
    """

    left: torch.Tensor
    right: torch.Tensor
    curvature: torch.Tensor
    damping: float = DAMPING

    def damped(self) -> torch.Tensor:
        """Λ + damping · mean(Λ), (out, in)."""
        return self.curvature + self.damping * self.curvature.mean()

    def solve(self, gradient: torch.Tensor) -> torch.Tensor:
        """(H + damping · mean(Λ))^-1 ∇L, (out, in): Newton's step along one gradient."""
        inside = self.left.mT @ gradient @ self.right
        inside /= self.damped()
        return self.left @ inside @ self.right.mT


class Covariances:
    """The sink that sums x xᵀ and δ δᵀ of some of the weights, in float64."""

    def __init__(self, weights: Sequence[LinearWeight], chosen: Sequence[int], device: torch.device) -> None:
        self.inputs = {at: _square(weights[at].in_features, device) for at in chosen}
        self.gradients = {at: _square(weights[at].out_features, device) for at in chosen}
        self.device = device
        self.real = torch.zeros(0, dtype=torch.bool)

    def expect(self, batch: Sequence[TrainingExample]) -> None:
        """Which places of the next batch are tokens and which are padding, whose inputs are not zero."""
        lengths = torch.tensor([len(one.ids) for one in batch], device=self.device)
        self.real = torch.arange(int(lengths.max()), device=self.device) < lengths[:, None]

    def begin(self, examples: int) -> None:
        """Sums go on from batch to batch."""

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """Adds the inputs; nothing is kept."""
        if at in self.inputs:
            rows = x[self.real]
            self.inputs[at] += (rows.mT @ rows).double()
        return x.new_empty(0)

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds the output gradients; padding has none."""
        if at in self.gradients:
            rows = gradient.flatten(0, 1)
            self.gradients[at] += (rows.mT @ rows).double()

    def bases(self, at: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Q_S and Q_A of weight `at`, decomposed in float64."""
        left = torch.linalg.eigh(self.gradients[at])[1]
        right = torch.linalg.eigh(self.inputs[at])[1]
        return left.to(dtype), right.to(dtype)


class Curvatures:
    """The sink that sums the squares of whole gradients in their weights' bases."""

    def __init__(self, bases: dict[int, tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.bases = bases
        self.sums = {
            at: torch.zeros(len(left), len(right), dtype=torch.float64, device=left.device)
            for at, (left, right) in bases.items()
        }

    def begin(self, examples: int) -> None:
        """Sums go on from batch to batch."""

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs in the basis Q_A."""
        return x @ self.bases[at][1] if at in self.bases else x.new_empty(0)

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds the squares, a few examples' gradients at a time."""
        if at not in self.bases:
            return
        turned = gradient @ self.bases[at][0]
        step = max(1, EXACT_CHUNK // self.sums[at].numel())
        for start in range(0, len(kept), step):
            whole = torch.bmm(turned[start : start + step].mT, kept[start : start + step])
            self.sums[at] += whole.square_().sum(0, dtype=torch.float64)


def _square(size: int, device: torch.device) -> torch.Tensor:
    return torch.zeros(size, size, dtype=torch.float64, device=device)
