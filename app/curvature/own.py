"""A passage's exact influence on itself under EK-FAC: ∇L · (H + damping)⁻¹ ∇L.

What is high here pulled the model its own way and was not helped by the rest of the corpus: odd, mislabelled or planted
passages, and long ones (Koh & Liang 2017; Feldman & Zhang 2020 call it memorised). In the factors' bases it is a
weighted sum of squares, Σ_ij (Q_Sᵀ ∇L Q_A)²_ij / (Λ_ij + damping), so each gradient is formed for one weight at a time.
"""

from collections.abc import Callable, Mapping, Sequence

import torch

from app.curvature.factors import Factors
from app.curvature.influence import BATCH_TOKENS, factors_of
from app.models.batching import length_batches
from app.models.capture import EXACT_CHUNK, Capture
from app.models.examples import TrainingExample


class _OwnInfluence:
    """The sink that adds up each example's weighted squares."""

    def __init__(self, factors: Sequence[Factors]) -> None:
        self.factors = factors
        self.scales = [1.0 / each.damped() for each in factors]
        self.sums = torch.zeros(0)

    def begin(self, examples: int) -> None:
        """Start from zero."""
        self.sums = torch.zeros(examples, dtype=torch.float64)

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs in the basis Q_A."""
        return x @ self.factors[at].right.to(x.dtype)

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part, a few examples' gradients at a time."""
        scale = self.scales[at]
        turned = gradient @ self.factors[at].left.to(gradient.dtype)
        step = max(1, EXACT_CHUNK // scale.numel())
        for start in range(0, len(kept), step):
            some = slice(start, start + step)
            whole = torch.bmm(turned[some].mT, kept[some])
            self.sums[some] += (whole.square() * scale).sum((1, 2), dtype=torch.float64).cpu()


def own_influences(
    capture: Capture,
    curvature: Mapping[str, Factors],
    passages: Sequence[TrainingExample],
    *,
    done: Callable[[int], None] | None = None,
) -> torch.Tensor:
    """Each passage's influence on itself, (n,) float64, in the order given; 0 where no token has a loss.

    Args:
        done: called after each batch with the number of its passages.
    """
    sink = _OwnInfluence([factors_of(curvature, weight) for weight in capture.loaded.weights])
    out = torch.zeros(len(passages), dtype=torch.float64)
    for batch in length_batches([one.size for one in passages], BATCH_TOKENS):
        capture.run([passages[row] for row in batch], sink)
        out[batch] = sink.sums
        if done:
            done(len(batch))
    return out
