"""Per-example projected gradients of the linear weights in one forward and one backward pass.

For y = x Wᵀ and δ = ∂L/∂y, an example's gradient is ∇_W L = Σ_t δ_t x_tᵀ, so that

    P_out (∇_W L / √V) P_inᵀ = Σ_t (left δ_t)(right x_t)ᵀ        (factored V: left, right as in projection.py)

`torch.autograd.grad` is asked only for what leads to the δ, parameters stay frozen: no weight gradient is
ever computed, and with factored V no gradient matrix is formed. Padding has δ = 0 and adds nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from app.errors import UserError
from app.models.batching import pad, predicting
from app.models.load import LoadedModel
from app.models.text import Example
from app.trackstar.config import Loss
from app.trackstar.head import Head
from app.trackstar.projection import Projected

EXACT_CHUNK = 1 << 20
"""Gradient entries formed at once where V is exact (4 MB in float32)."""


class Sink(Protocol):
    """Takes the inputs and output gradients of weight number `at` and does with them what it is for."""

    def begin(self, examples: int) -> None:
        """A batch of so many examples starts."""

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """Inputs (n, T, in) of a weight; what is returned is kept until its backward."""

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Output gradients (n, T, out) of the same weight."""


class Capture:
    """Runs batches through a frozen model and feeds a sink."""

    def __init__(self, loaded: LoadedModel, loss: Loss = "cross_entropy") -> None:
        self.loaded = loaded
        self.head = Head(loaded.model, loss)
        self.fans = self._fans()

    def run(self, examples: Sequence[Example], sink: Sink) -> None:
        """One batch, forward and backward."""
        device = self.loaded.device
        sink.begin(len(examples))
        rows, labels = predicting(examples, device)
        with torch.enable_grad(), self._tapped(sink) as leaves:
            end, gradient = self.head.start(pad(examples, device), rows, labels)
            torch.autograd.grad(end, leaves, gradient)

    @contextmanager
    def _tapped(self, sink: Sink) -> Iterator[list[torch.Tensor]]:
        """Hooks on every weight's module; yields the outputs at which differentiation ends."""
        leaves: list[torch.Tensor] = []

        def tap(at: int) -> Callable[..., None]:
            def forward(module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
                with torch.no_grad():
                    kept = sink.forward(at, inputs[0])
                if not output.requires_grad:
                    leaves.append(output.requires_grad_())
                output.register_hook(lambda gradient: sink.backward(at, kept, gradient))

            return forward

        handles = [w.module.register_forward_hook(tap(at)) for at, w in enumerate(self.loaded.weights)]
        try:
            yield leaves
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def _fans(self) -> list[int]:
        """For each weight the first weight that reads the same tensor (query, key and value read one).

        Raises:
            UserError: a weight is not run once on (examples, tokens, features), as with routed experts.
        """
        seen: dict[int, list[torch.Tensor]] = {}
        handles = [
            weight.module.register_forward_hook(
                lambda module, inputs, output, at=at: seen.setdefault(at, []).append(inputs[0])
            )
            for at, weight in enumerate(self.loaded.weights)
        ]
        try:
            self.head.body(
                input_ids=torch.zeros((2, 3), dtype=torch.long, device=self.loaded.device), use_cache=False
            )
        finally:
            for handle in handles:
                handle.remove()
        for at, weight in enumerate(self.loaded.weights):
            if [tuple(x.shape[:-1]) for x in seen.get(at, [])] != [(2, 3)]:
                raise UserError(
                    f"The weight {weight.name} is not run once on every token of every example.",
                    field="weights",
                    remedy=f"Leave it out with --weights '{weight.name.split('.')[-2]}=skip'.",
                )
        inputs = [seen[at][0] for at in range(len(self.loaded.weights))]
        return [next(first for first, x in enumerate(inputs) if x is own) for own in inputs]


class Sketch:
    """The sink that projects: after a batch, `blocks` is (n, blocks, p, p)."""

    def __init__(self, projected: Sequence[Projected], fans: Sequence[int], blocks: int) -> None:
        self.projected = projected
        self.p, self.device = projected[0].left.shape[0], projected[0].left.device
        self.count = blocks
        self.fans = fans
        # Weights that read the same tensor share one product with their stacked right factors.
        members = {first: [at for at, fan in enumerate(fans) if fan == first] for first in fans}
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
        fan = self.fans[at]
        if fan not in self.shared:  # whichever runs first: some list the key before the query
            self.shared[fan] = F.linear(x, self.stacked[fan])
        return self.shared[fan][..., self.slot[at] : self.slot[at] + self.p]

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds this weight's part to its block."""
        one = self.projected[at]
        if one.inverse_root is not None:
            return self._backward_exact(one, kept, gradient)
        left = F.linear(gradient, one.left)
        self.blocks[:, one.block].baddbmm_(left.mT.to(self.wide), kept.to(self.wide))

    def _backward_exact(self, one: Projected, x: torch.Tensor, gradient: torch.Tensor) -> None:
        assert one.inverse_root is not None
        step = max(1, EXACT_CHUNK // one.inverse_root.numel())
        for at in range(0, len(x), step):
            whole = torch.bmm(gradient[at : at + step].mT, x[at : at + step])  # (chunk, out, in)
            whole *= one.inverse_root
            half = F.linear(whole, one.right)  # (chunk, out, p)
            self.blocks[at : at + step, one.block] += torch.matmul(one.left, half)
