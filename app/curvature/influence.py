"""The exact influence of passages on one output, under EK-FAC: ∇L_m · (H + damping)^-1 ∇L_q.

The query's preconditioned gradient is a vector u in parameter space. A passage's product with it needs no gradient of
the passage's own: with y = W x and δ = ∂L/∂y,

    ∇L_m · u = Σ_W Σ_t δ_tᵀ (u_W x_t)

so one backward pass down to the δ and one product per weight give it for a whole batch: three matrix products a
weight, as many as a training step takes, and no attention kernel has to know forward-mode derivatives.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F

from app.curvature.factors import Factors
from app.errors import UserError
from app.models.batching import length_batches
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.weights import LinearWeight

BATCH_TOKENS = 2048


class _Gradient:
    """The sink that keeps one example's whole gradient, a matrix (out, in) per weight."""

    def __init__(self) -> None:
        self.matrices: dict[int, torch.Tensor] = {}

    def begin(self, examples: int) -> None:
        """One example at a time."""
        self.matrices.clear()

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs themselves."""
        return x

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Σ_t δ_t x_tᵀ."""
        self.matrices[at] = gradient.flatten(0, 1).mT @ kept.flatten(0, 1)


class _Along:
    """The sink that adds up δ_tᵀ u x_t of each example and, where asked, the squares of its gradient."""

    def __init__(self, direction: Sequence[torch.Tensor], lengths: bool) -> None:
        self.direction, self.lengths = direction, lengths
        self.products = self.squares = torch.zeros(0)

    def begin(self, examples: int) -> None:
        """Start from zero."""
        self.products = torch.zeros(examples, dtype=torch.float64)
        self.squares = torch.zeros(examples, dtype=torch.float64)

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """u x_t, and behind it x_t itself where lengths are asked for."""
        along = F.linear(x, self.direction[at])
        return torch.cat([along, x], -1) if self.lengths else along

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part."""
        out = gradient.shape[-1]
        self.products += (kept[..., :out] * gradient).sum((1, 2), dtype=torch.float64).cpu()
        if self.lengths:
            # ‖Σ_t δ_t x_tᵀ‖² = Σ_st (δ_s·δ_t)(x_s·x_t): small where an example has fewer tokens than features.
            x = kept[..., out:]
            grams = (gradient @ gradient.mT) * (x @ x.mT)
            self.squares += grams.sum((1, 2), dtype=torch.float64).cpu()


def preconditioned(
    capture: Capture, curvature: Mapping[str, Factors], query: TrainingExample
) -> list[torch.Tensor]:
    """u: for each weight (H_W + damping)^-1 ∇L_q, (out, in), in the order of the model's weights."""
    solved = []
    for weight, matrix in zip(capture.loaded.weights, whole_gradient(capture, query), strict=True):
        factors = factors_of(curvature, weight)
        solved.append(factors.solve(matrix.to(factors.left.dtype)).to(matrix.dtype))
    return solved


def whole_gradient(capture: Capture, example: TrainingExample) -> list[torch.Tensor]:
    """∇L of one example: for each weight a matrix (out, in), in the order of the model's weights."""
    sink = _Gradient()
    capture.run([example], sink)
    return [sink.matrices[at] for at in range(len(capture.loaded.weights))]


def influences(
    capture: Capture,
    direction: Sequence[torch.Tensor],
    passages: Sequence[TrainingExample],
    *,
    unit_norm: bool = False,
    batch_tokens: int = BATCH_TOKENS,
    done: Callable[[int], None] | None = None,
) -> torch.Tensor:
    """∇L_m · u of each passage, (n,) float64, in the order given; 0 where a passage has no loss token.

    Args:
        direction: what `preconditioned` gives, or the difference of two (why this rather than that).
        unit_norm: divide by ‖∇L_m‖, so that a long or surprising passage does not win by its size.
        done: called after each batch with the number of its passages.
    """
    sink = _Along(direction, unit_norm)
    out = torch.zeros(len(passages), dtype=torch.float64)
    for batch in length_batches([one.size for one in passages], batch_tokens):
        capture.run([passages[row] for row in batch], sink)
        products = sink.products
        if unit_norm:
            products = torch.where(sink.squares > 0, products / sink.squares.sqrt(), 0.0)
        out[batch] = products
        if done:
            done(len(batch))
    return out


def factors_of(curvature: Mapping[str, Factors], weight: LinearWeight) -> Factors:
    """The factors of one weight.

    Raises:
        UserError: there are none of it.
    """
    if weight.name not in curvature:
        raise UserError(
            f"There are no EK-FAC factors of {weight.name}.",
            field="curvature",
            remedy="Let startrail retrieve --method trackstar+ekfac fit them for this model’s weights.",
        )
    return curvature[weight.name]
