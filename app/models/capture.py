"""The inputs and output gradients of every linear weight, in one forward and one backward pass.

For y = x Wᵀ and δ = ∂L/∂y, an example's gradient is ∇_W L = Σ_t δ_t x_tᵀ: whoever needs gradients takes x and δ from
here and forms no more of them than it must. `torch.autograd.grad` is asked only for what leads to the δ, parameters
stay frozen: no weight gradient is ever computed. Padding has δ = 0 and adds nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from app.errors import UserError
from app.models.batching import pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.loss_head import LossHead
from app.models.losses import Loss
from app.models.recomputing import recomputing

EXACT_CHUNK = 1 << 20
"""Gradient entries formed at once where V is exact (4 MB in float32)."""


class Sink(Protocol):
    """Takes the inputs and output gradients of weight number `at` and does with them what it is for.

    T is the tokens of an example: of a pair those of both sequences, one behind the other.
    """

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
        self.head = LossHead(loaded.model, loss)
        self.first_readers = self._first_readers()

    def run(
        self, examples: Sequence[TrainingExample], sink: Sink, draw: torch.Generator | None = None
    ) -> None:
        """One batch, forward and backward.

        Args:
            draw: where given, each loss token's label is drawn from what the model predicts there, as the Fisher
                matrix asks, in place of the token that stands in the text.
        """
        device = self.loaded.device
        sink.begin(len(examples))
        ids = pad(examples, device)
        rows, labels, signs = predicting(examples, device)
        model = self.loaded.model
        with (
            torch.enable_grad(),
            self._tapped(sink, len(examples)) as leaves,
            recomputing(model, ids.numel()),
        ):
            end, gradient = self.head.start(ids, rows, draw or labels, signs)
            torch.autograd.grad(end, tuple(leaves), gradient)

    @contextmanager
    def _tapped(self, sink: Sink, rows: int) -> Iterator[list[torch.Tensor]]:
        """Hooks on every weight's module; yields the outputs at which differentiation ends."""
        leaves: list[torch.Tensor] = []
        seen: set[int] = set()

        def tap(at: int) -> Callable[..., None]:
            def forward(module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
                if at in seen:  # computed again for the backward pass, to be just what it was
                    output.requires_grad_()
                    return
                seen.add(at)
                with torch.no_grad():
                    kept = sink.forward(at, _by_row(inputs[0], rows))
                if not output.requires_grad:
                    leaves.append(output.requires_grad_())
                output.register_hook(lambda gradient: sink.backward(at, kept, _by_row(gradient, rows)))

            return forward

        handles = [w.module.register_forward_hook(tap(at)) for at, w in enumerate(self.loaded.weights)]
        try:
            yield leaves
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def _first_readers(self) -> list[int]:
        """For each weight the first weight that reads the same tensor (query, key and value read one).

        Raises:
            UserError: a weight is not run once on every token of every example, each example's apart, as with routed experts.
        """
        both = self._read(torch.tensor([[5, 6, 7], [8, 6, 9]]))
        second = self._read(torch.tensor([[8, 6, 9]]))
        for at, weight in enumerate(self.loaded.weights):
            if not (_is_once(both.get(at, []), 6) and _apart(both[at][0], second[at][0])):
                raise UserError(
                    f"The weight {weight.name} is not run once on every token of every example.",
                    field="weights",
                    remedy=f"Leave it out with --weights '{weight.name.split('.')[-2]}=skip'.",
                )
        inputs = [both[at][0] for at in range(len(self.loaded.weights))]
        return [next(first for first, x in enumerate(inputs) if x is own) for own in inputs]

    def _read(self, ids: torch.Tensor) -> dict[int, list[torch.Tensor]]:
        """What each weight reads, call by call, where the model reads ids (n, T)."""
        seen: dict[int, list[torch.Tensor]] = {}
        handles = [
            weight.module.register_forward_hook(
                lambda module, inputs, output, at=at: (
                    seen.setdefault(at, []).append(inputs[0]) if torch.is_tensor(output) else None
                )
            )
            for at, weight in enumerate(self.loaded.weights)
        ]
        try:
            self.head.body(input_ids=ids.to(self.loaded.device), use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        return seen


def _by_row(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """(rows, T, width), also where a module flattens its tokens, as OPT's MLP does, or a pair's two sequences stand apart."""
    return tensor.reshape(rows, -1, tensor.shape[-1])


def _is_once(calls: Sequence[torch.Tensor], tokens: int) -> bool:
    return len(calls) == 1 and calls[0].shape[:-1].numel() == tokens and calls[0].dim() in (2, 3)


def _apart(both: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether the second of two examples reads as it does alone: rows are examples, and none looks into another."""
    own = _by_row(both, 2)
    alone = _by_row(second, 1)
    if own.shape[1:] != alone.shape[1:]:
        return False
    return bool(
        torch.allclose(
            own[1].float(), alone[0].float(), rtol=1e-2, atol=1e-3 * float(alone.float().abs().max())
        )
    )
