"""Per-example projected gradients, summed up as a batch goes through the model.

    P_out (∇_W L / √V) P_inᵀ = Σ_t (left δ_t)(right x_t)ᵀ        (factored V: left, right as in projection.py)

With factored V no gradient matrix is formed.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from app.models.capture import EXACT_CHUNK
from app.trackstar.projection import ProjectedWeight


class ProjectedGradients:
    """The sink that projects: after a batch, `blocks` is (n, blocks, p, p)."""

    def __init__(
        self, projected: Sequence[ProjectedWeight], first_readers: Sequence[int], blocks: int
    ) -> None:
        self.projected = projected
        self.p, self.device = projected[0].left.shape[0], projected[0].left.device
        self.count = blocks
        self.first_readers = first_readers
        # Weights that read the same tensor share one product with their stacked right factors.
        members = {
            first: [at for at, reader in enumerate(first_readers) if reader == first]
            for first in first_readers
        }
        self.stacked = {first: torch.cat([projected[at].right for at in m]) for first, m in members.items()}
        self.slot = {at: m.index(at) * self.p for m in members.values() for at in m}
        self.shared: dict[int, torch.Tensor] = {}
        self.wide = torch.promote_types(projected[0].left.dtype, torch.float32)

    def begin(self, examples: int) -> None:
        """Start from zero."""
        self.blocks = torch.zeros(examples, self.count, self.p, self.p, device=self.device, dtype=self.wide)
        self.shared.clear()

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """`right x_t` for every token, (n, T, p); with exact V the inputs themselves."""
        if self.projected[at].inverse_root is not None:
            return x
        reader = self.first_readers[at]
        if reader not in self.shared:  # whichever runs first: some list the key before the query
            self.shared[reader] = F.linear(x, self.stacked[reader])
        return self.shared[reader][..., self.slot[at] : self.slot[at] + self.p]

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part to its block."""
        one = self.projected[at]
        if one.inverse_root is not None:
            return self._backward_exact(one, kept, gradient)
        left = F.linear(gradient, one.left)
        self.blocks[:, one.block].baddbmm_(left.mT.to(self.wide), kept.to(self.wide))

    def _backward_exact(self, one: ProjectedWeight, x: torch.Tensor, gradient: torch.Tensor) -> None:
        assert one.inverse_root is not None
        step = max(1, EXACT_CHUNK // one.inverse_root.numel())
        for at in range(0, len(x), step):
            whole = torch.bmm(gradient[at : at + step].mT, x[at : at + step])  # (chunk, out, in)
            whole *= one.inverse_root
            half = F.linear(whole, one.right)  # (chunk, out, p)
            self.blocks[at : at + step, one.block] += torch.matmul(one.left, half)
