"""Finds a decoder's linear weights by structure: which belong to attention, which to the MLP, in which layer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from app.errors import UserError
from app.models.adapters import PART

Kind = Literal["attention", "mlp"]

ATTENTION = re.compile(r"att(n|ention)", re.IGNORECASE)
MIXER = re.compile(r"[Mm]ixer|[Mm]amba|[Rr]ecurrent|[Ss]hort_?[Cc]onv|^conv$|time_mix|[Rr]wkv")
MLP = re.compile(r"mlp|feed_?forward|ffn|^fc_?\d*$|moe|expert|^(gate|up|down|w[123])(_proj)?$", re.IGNORECASE)


@dataclass(frozen=True)
class LinearWeight:
    """One linear weight of a block.

    Args:
        name: of the parameter, as in the checkpoint.
        module: the module that holds it.
        layer: the block's number, from 0.
        kind: attention (or what takes its place) or MLP.
        out_features, in_features: of y = W x, whichever way the weight is stored.
        transposed: stored as (in, out), as GPT-2's Conv1D does.
    """

    name: str
    module: nn.Module
    layer: int
    kind: Kind
    out_features: int
    in_features: int
    transposed: bool

    @property
    def stored_shape(self) -> tuple[int, int]:
        """The parameter's shape in the checkpoint and in the optimizer's state."""
        shape = (self.out_features, self.in_features)
        return shape[::-1] if self.transposed else shape

    def oriented(self, stored: torch.Tensor) -> torch.Tensor:
        """A tensor of the stored shape as (out, in)."""
        return stored.mT if self.transposed else stored


def find_weights(model: nn.Module, override: Mapping[str, str] | None = None) -> list[LinearWeight]:
    """The linear weights (`nn.Linear`, `Conv1D`) of the model's repeated blocks, in the model's order.

    A weight belongs to attention or to the MLP by the names on its path inside the block (`self_attn`,
    `attention`, `mlp`, `feed_forward`, …) or by the class of a module on it. Of a model with an adapter of its own
    matrices, these are its weights. State-space and recurrent mixers, which take attention's place in a block, count as
    attention: what mixes tokens.

    Args:
        override: regular expression on the parameter's name -> `attention`, `mlp` or `skip`. The first that
            matches decides, before any structure is looked at.

    Raises:
        UserError: no repeated blocks, or a weight that is neither; the message names the modules found.
    """
    path, blocks = _blocks(model)
    adapted = any(PART in name for name, _ in blocks.named_parameters())
    found: list[LinearWeight] = []
    unknown: list[str] = []
    for layer, block in enumerate(blocks):
        for inner, module in block.named_modules():
            if not isinstance(module, nn.Linear | Conv1D) or (adapted and PART not in f".{inner}."):
                continue
            name = f"{path}.{layer}.{inner}.weight"
            kind = _overridden(name, override or {}) or _kind(block, inner)
            if kind is None:
                unknown.append(name)
            elif kind != "skip":
                transposed = isinstance(module, Conv1D)
                out, into = module.weight.shape[::-1] if transposed else module.weight.shape
                found.append(LinearWeight(name, module, layer, kind, out, into, transposed))  # type: ignore[arg-type]  # `_overridden` lets two kinds through
    if unknown:
        raise UserError(
            f"Cannot tell whether these weights are attention or MLP: {', '.join(unknown[:8])}.",
            field="weights",
            remedy="Say so with --weights 'PATTERN=attention', '=mlp' or '=skip'.",
        )
    _refuse_stacks(path, blocks, override or {})
    for wanted in ("attention", "mlp"):
        # An adapter may stand on one of them only, a mixer may be a whole block, and what was left out was left out knowingly.
        alone = adapted or "skip" in (override or {}).values() or any(MIXER.search(w.name) for w in found)
        if not any(weight.kind == wanted for weight in found) and not (alone and found):
            raise UserError(
                f"No {wanted} weights among the linear modules of {path}: {_linear_names(model)}.",
                field="weights",
                remedy=f"Say which are with --weights 'PATTERN={wanted}'.",
            )
    return found


def left_out(model: nn.Module, weights: Sequence[LinearWeight]) -> list[str]:
    """Matrices of the blocks of which no gradients are taken, by name with the layer as N: a router of experts that is a
    plain parameter, a convolution, what was skipped. Of a model with an adapter, none: only the adapter was trained."""
    path, blocks = _blocks(model)
    names = [f"{path}.{name}" for name, value in blocks.named_parameters() if value.squeeze().dim() > 1]
    if any(PART in name for name in names):
        return []
    taken = {weight.name for weight in weights}
    return list(dict.fromkeys(re.sub(r"\.\d+\.", ".N.", name) for name in names if name not in taken))


def layers_of(weights: Iterable[LinearWeight]) -> list[int]:
    """The layers that hold weights, in order: not all of them where an adapter stands on some."""
    return sorted({weight.layer for weight in weights})


def group_of(weight: LinearWeight, layers: Sequence[int], groups: int) -> int:
    """Which of the contiguous groups of `layers` (see `layers_of`) a weight is in."""
    return layers.index(weight.layer) * groups // len(layers)


def _blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """The list of repeated blocks: the outermost `ModuleList` of one kind that holds most linear weights."""
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and _are_blocks(module)
    ]
    outermost = [
        (name, module)
        for name, module in lists
        if not any(name.startswith(f"{other}.") for other, _ in lists)
    ]
    counted = [
        (sum(isinstance(m, nn.Linear | Conv1D) for m in module.modules()), name) for name, module in outermost
    ]
    if not counted or max(counted)[0] == 0:
        raise UserError(
            f"{type(model).__name__} has no repeated blocks with linear weights; found {_linear_names(model)}.",
            remedy="Startrail reads decoders whose layers stand in one ModuleList of nn.Linear or Conv1D weights.",
        )
    best = max(counted)[1]
    return best, dict(outermost)[best]


def _are_blocks(modules: nn.ModuleList) -> bool:
    """Of one class, or of several that each are a block, as where attention and state space take turns."""
    if len({type(child) for child in modules}) == 1:
        return True
    return len(modules) > 1 and all(_has_linear_inside(child) for child in modules)


def _has_linear_inside(module: nn.Module) -> bool:
    return any(isinstance(inner, nn.Linear | Conv1D) for inner in module.modules() if inner is not module)


def _refuse_stacks(path: str, blocks: nn.ModuleList, override: Mapping[str, str]) -> None:
    """Experts whose matrices stand in one tensor: no module's inputs are theirs, and they are not left out in silence.

    Raises:
        UserError: a block has such weights, and nobody said to leave them out.
    """
    for name, parameter in blocks.named_parameters():
        whole = f"{path}.{name}"
        if sum(size > 1 for size in parameter.shape) < 3 or _overridden(whole, override) == "skip":
            continue
        inner = name.rsplit(".", 2)[-2]
        raise UserError(
            f"{whole} holds several matrices in one tensor {tuple(parameter.shape)}, as of experts: no gradients are taken"
            " of such.",
            field="weights",
            remedy=f"Leave them out with --weights '{inner}=skip', and know that what they learned is not traced.",
        )


def _kind(block: nn.Module, inner: str) -> Kind | None:
    parts = inner.split(".")
    modules = [block.get_submodule(".".join(parts[: end + 1])) for end in range(len(parts))]
    for name, module in zip(parts, modules, strict=True):
        if ATTENTION.search(name) or ATTENTION.search(type(module).__name__):
            return "attention"
        if MIXER.search(name) or MIXER.search(type(module).__name__):
            return "attention"
        if MLP.search(name) or MLP.search(type(module).__name__):
            return "mlp"
    return None


def _overridden(name: str, override: Mapping[str, str]) -> str | None:
    for pattern, kind in override.items():
        if kind not in ("attention", "mlp", "skip"):
            raise UserError(
                f"{kind!r} is no kind of weight.", field="weights", remedy="Use attention, mlp or skip."
            )
        try:
            if re.search(pattern, name):
                return kind
        except re.error as error:
            raise UserError(
                f"{pattern!r} is no regular expression: {error}.",
                field="weights",
                remedy="Escape what is literal.",
            ) from None
    return None


def _linear_names(model: nn.Module) -> str:
    """Module names with numbers as N, each once: `model.layers.N.self_attn.q_proj (Linear)`."""
    kinds = {
        re.sub(r"\d+", "N", name): type(module).__name__
        for name, module in model.named_modules()
        if name and not list(module.children())
    }
    listed = [f"{name} ({kind})" for name, kind in kinds.items()]
    return ", ".join(listed[:12]) or "no modules"
