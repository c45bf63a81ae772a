"""Why this rather than that: how much each of two completions counts in the gradient of p(this) - p(that).

    ∇(p(A) - p(B)) = p(A) ∇log p(A) - p(B) ∇log p(B)

So a completion that was never likely counts for little, and one that nearly was said for as much as what was said. The
gradient of log p(A) - log p(B) counts both alike; its lists were worse where B was unlikely (docs/log.md).
"""

from collections.abc import Sequence

import torch

from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.updating import logp_of


def shares(
    model: LoadedModel, these: Sequence[TrainingExample], those: Sequence[TrainingExample]
) -> torch.Tensor:
    """p(A) and p(B) of each pair, divided by the larger of the two: (n, 2) float64."""
    logs = torch.tensor(logp_of(model, [*these, *those]), dtype=torch.float64).view(2, -1).T
    return (logs - logs.amax(1, keepdim=True)).exp()


def difference(these: torch.Tensor, those: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The gradient (n, …) of the difference from those of -log p(A) and -log p(B), both (n, …)."""
    of_this, of_that = shares.to(these).unbind(1)
    wide = (-1,) + (1,) * (these.dim() - 1)
    return of_this.view(wide) * these - of_that.view(wide) * those
