"""Each passage's own gradient of every parameter, for many passages in one forward and one backward pass.

For y = x Wᵀ and δ = ∂L/∂y a passage's gradient is Σ_t δ_t x_tᵀ, a product of two thin matrices: they are kept, the
product is not formed. The same holds for an embedding (x: which token) and, both together, for one that is also the
output matrix. Gradients of vectors (norms, biases) are small and formed. Differentiation ends at what modules put out:
no weight's gradient is ever asked for, and none of the model is copied.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, vjp, vmap
from transformers.pytorch_utils import Conv1D

from app.models.batching import pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.loss_head import widened
from app.models.thin import Thin

MEMORY = 1 << 29
"""Bytes that a batch of passages may hold beside the model."""


class NotSeparableError(Exception):
    """This model's passages cannot be told apart within a batch: parameters are used in ways unknown here."""


@dataclass(frozen=True)
class Tap:
    """A module with parameters of its own.

    Args:
        names: own name of a parameter -> its name in the model; tied ones have one name.
    """

    module: Any
    kind: Literal["linear", "conv", "lookup", "small"]
    names: dict[str, str]

    @property
    def width(self) -> int:
        """Numbers kept for a token."""
        if self.kind == "small":
            return 2 * max(value.numel() for value in self.module.parameters(recurse=False))
        return sum(self.module.weight.shape)


@dataclass
class Gradients:
    """Gradients of a batch of n passages' mean losses.

    Args:
        thin: by name, of matrices. whole: by name, (n, …), of vectors.
    """

    thin: dict[str, Thin]
    whole: dict[str, torch.Tensor]


def taps_of(model: nn.Module) -> list[Tap]:
    """The modules that hold the model's parameters.

    Raises:
        NotSeparableError: one holds a matrix that is neither a linear map's nor an embedding's.
    """
    first = {id(value): name for name, value in model.named_parameters()}
    taps = []
    for module in model.modules():
        own = {name: first[id(value)] for name, value in module.named_parameters(recurse=False)}
        if own:
            taps.append(Tap(module, _kind(module), own))
    return taps


def _kind(module: nn.Module) -> Literal["linear", "conv", "lookup", "small"]:
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, Conv1D):
        return "conv"
    if isinstance(module, nn.Embedding):
        return "lookup"
    if all(value.dim() < 2 for value in module.parameters(recurse=False)):
        return "small"
    raise NotSeparableError(type(module).__name__)


@contextmanager
def hooked(taps: Sequence[Tap], hook: Callable[[Tap, Any, torch.Tensor], Any]) -> Iterator[None]:
    """Calls `hook(tap, input, output)` whenever a tap's module has run; what it returns goes on in its place."""
    busy = False

    def of(tap: Tap) -> Callable[..., Any]:
        def forward(module: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> Any:
            nonlocal busy
            if busy:  # the hook itself calls the module
                return None
            busy = True
            try:
                if not inputs:
                    raise NotSeparableError(type(module).__name__)
                return hook(tap, inputs[0], output)
            finally:
                busy = False

        return forward

    handles = [tap.module.register_forward_hook(of(tap)) for tap in taps]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def by_row(tensor: torch.Tensor, rows: int, width: int, each: int = 1) -> torch.Tensor:
    """A module's input or output as (rows, T, width), also where it came flattened or was made once for all rows.

    Args:
        each: sequences of a row, two of a pair, which stand one behind the other.

    Raises:
        NotSeparableError: it is not that of every token of every row.
    """
    if tensor.shape[0] == 1 and rows * each > 1 and tensor.dim() > 1:
        tensor = tensor.expand(rows * each, *tensor.shape[1:])
    if tensor.shape[0] % rows or tensor.numel() % (rows * width):
        raise NotSeparableError
    return tensor.reshape(rows, -1, width)


class PassageGradients:
    """Takes the gradients of batches of passages.

    Raises:
        NotSeparableError: the model is not one whose passages stay apart.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.taps = taps_of(loaded.model)
        self._probe()

    @property
    def tokens(self) -> int:
        """How many a batch may have: for each, what is kept and the logits with their gradient are held."""
        model: Any = self.loaded.model
        width = sum(tap.width for tap in self.taps) + 3 * int(model.get_output_embeddings().weight.shape[0])
        return max(1, MEMORY // (width * torch.finfo(self.loaded.dtype).bits // 8))

    def of(self, examples: Sequence[TrainingExample]) -> Gradients:
        """Gradients of each example's mean cross-entropy over its loss tokens, of a pair what is rejected subtracted."""
        model = self.loaded.model
        ids = pad(examples, self.loaded.device)
        rows = len(ids)
        seen: dict[int, tuple[Tap, Any, list[torch.Tensor]]] = {}
        leaves: list[torch.Tensor] = []

        def hook(tap: Tap, x: Any, output: torch.Tensor) -> torch.Tensor | None:
            if id(tap) in seen:
                raise NotSeparableError
            deltas: list[torch.Tensor] = []
            seen[id(tap)] = (tap, x.detach(), deltas)
            out = output
            if tap.kind == "lookup" and output.shape[0] == 1:
                out = output.expand(rows, *output.shape[1:]).clone()
            if not out.requires_grad:
                leaves.append(out.requires_grad_())
            out.register_hook(lambda gradient: deltas.append(gradient))
            return out

        with torch.enable_grad(), hooked(self.taps, hook):
            at, labels, signs = predicting(examples, self.loaded.device)
            logits = model(input_ids=ids, use_cache=False).logits.flatten(0, 1)[at]
            sizes = [sum(len(one.targets) for one in example.sequences) for example in examples]
            share = torch.cat([logits.new_full((size,), 1 / size, dtype=torch.float32) for size in sizes])
            share = share if signs is None else share * signs
            loss = (F.cross_entropy(widened(logits), labels, reduction="none") * share).sum()
            torch.autograd.grad(loss, leaves, allow_unused=True)
        return _collected(list(seen.values()), len(examples), rows // len(examples))

    def _probe(self) -> None:
        """Whether two passages' gradients add up to what autograd says of both: then they are what they seem."""
        model: Any = self.loaded.model
        rows = model.get_input_embeddings().weight.shape[0]
        texts = [
            TrainingExample(tuple((7 * at + 3 * n) % rows for at in range(4)), (1, 2, 3)) for n in (1, 2)
        ]
        got = self.of(texts)
        own = {name: value.detach().requires_grad_() for name, value in model.named_parameters()}
        with torch.enable_grad():
            at, labels, _ = predicting(texts, self.loaded.device)
            ids = pad(texts, self.loaded.device)
            made = functional_call(model, own, kwargs={"input_ids": ids, "use_cache": False}).logits
            loss = 2 * F.cross_entropy(widened(made.flatten(0, 1)[at]), labels)
            wanted = torch.autograd.grad(loss, list(own.values()), allow_unused=True)
        loose = 1e-3 if self.loaded.dtype in (torch.float32, torch.float64) else 5e-2
        for name, want in zip(own, wanted, strict=True):
            have = got.thin.get(name)
            sums = got.whole[name].sum(0) if name in got.whole else None
            if have is not None:
                sums = have.whole(0) + have.whole(1)
            if want is None:
                want = torch.zeros_like(own[name])
            if sums is None:
                sums = torch.zeros_like(want)
            if (
                not float((sums - want).norm()) <= loose * float(want.norm()) + 1e-12
            ):  # also where it is no number
                raise NotSeparableError(name)


def _collected(seen: Sequence[tuple[Tap, Any, list[torch.Tensor]]], rows: int, each: int) -> Gradients:
    thin: dict[str, Thin] = {}
    whole: dict[str, torch.Tensor] = {}
    for tap, x, deltas in seen:
        if not deltas:  # nothing of the loss came through it
            continue
        (delta,) = deltas
        if tap.kind == "small":
            for name, value in _small(tap, x, delta, rows, each).items():
                value = widened(value)
                whole[name] = whole[name] + value if name in whole else value
            continue
        out, into = _sides(tap)
        # What a step is made of is not rounded: a norm's or a sum's smallest parts would go first.
        x, delta = x if tap.kind == "lookup" else widened(x), widened(by_row(delta, rows, out, each))
        if "bias" in tap.names:
            whole[tap.names["bias"]] = delta.sum(1)
        name, made = tap.names["weight"], _thin(tap, x, delta, rows, into, each)
        thin[name] = thin[name] + made if name in thin else made
    return Gradients(thin, whole)


def _sides(tap: Tap) -> tuple[int, int]:
    """Widths of what the module puts out and takes in (for an embedding: its rows)."""
    first, second = tap.module.weight.shape
    return (first, second) if tap.kind == "linear" else (second, first)


def _thin(tap: Tap, x: torch.Tensor, delta: torch.Tensor, rows: int, into: int, each: int) -> Thin:
    if tap.kind == "linear":
        return Thin.of(delta, by_row(x, rows, into, each))
    if tap.kind == "conv":
        return Thin.of(by_row(x, rows, into, each), delta)
    ids = by_row(x, rows, 1, each)[..., 0]
    delta = delta * getattr(tap.module, "embed_scale", 1.0)
    if (padding := tap.module.padding_idx) is not None:
        delta = delta.masked_fill((ids == padding)[..., None], 0.0)
    return Thin.looked_up(ids, delta, into)


def _small(tap: Tap, x: torch.Tensor, delta: torch.Tensor, rows: int, each: int) -> dict[str, torch.Tensor]:
    """Gradients of a norm's vectors, passage by passage, by its own forward."""
    own = {name: value.detach() for name, value in tap.module.named_parameters(recurse=False)}
    if x.shape[0] != rows * each or delta.shape[0] != rows * each:
        raise NotSeparableError

    def one(x_: torch.Tensor, delta_: torch.Tensor) -> dict[str, torch.Tensor]:
        back = vjp(lambda values: functional_call(tap.module, values, (x_,)), own)[1]
        return back(delta_)[0]

    made = vmap(one)(*(side.unflatten(0, (rows, each)) for side in (x, delta)))
    return {tap.names[name]: value for name, value in made.items()}
