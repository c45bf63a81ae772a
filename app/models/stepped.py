"""A model's answers after one optimizer step on each of several passages, without a stepped model ever standing anywhere.

A step changes a weight by −size · diag(a) G diag(b), where G = leftᵀ right is thin (`app.models.taps`). So the stepped
weight's output is the saved weight's plus two thin products, for every passage of a batch at once. Where an optimizer's
step has no such form, or a passage is so long that the product is the smaller thing, one stepped weight at a time is
formed, used and dropped. The model's own weights are never written to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.func import functional_call, vmap

from app.models.loss_head import widened
from app.models.optimizers import Scaled
from app.models.taps import Gradients, Tap, by_row, hooked
from app.models.thin import Thin

Step = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]
"""name, weight, gradient -> the stepped weight."""
Scale = Callable[[str, torch.Tensor, tuple[torch.Tensor, torch.Tensor]], Scaled | None]
"""name, weight, the gradients' mean squares by row and column -> how they are scaled, see `Optimizer.scaled`."""


@dataclass(frozen=True)
class Change:
    """W' = keep · W + more, for every passage."""

    keep: float
    more: Thin


@dataclass(frozen=True)
class Stepped:
    """The weights of n stepped models, by parameter name.

    Args:
        changes: matrices as changes. formed: matrices as what forms that of one passage. vectors: (n, …).
    """

    changes: Mapping[str, Change]
    formed: Mapping[str, Callable[[int], torch.Tensor]]
    vectors: Mapping[str, torch.Tensor]


@torch.no_grad()
def step(weights: Mapping[str, torch.Tensor], gradients: Gradients, one: Step, scale: Scale) -> Stepped:
    """One step on each passage of the gradients; only weights of `weights` are stepped.

    Args:
        one: a step with its gradient formed. scale: the same of many without.
    """
    changes: dict[str, Change] = {}
    formed: dict[str, Callable[[int], torch.Tensor]] = {}
    for name, thin in gradients.thin.items():
        if name not in weights:
            continue
        change = _change(name, weights[name], thin, scale)
        if change is None:
            formed[name] = _former(name, weights[name], thin, one)
        else:
            changes[name] = change
    vectors = {
        name: torch.stack([one(name, weights[name], gradient) for gradient in whole])
        for name, whole in gradients.whole.items()
        if name in weights
    }
    return Stepped(changes, formed, vectors)


def _change(name: str, weight: torch.Tensor, thin: Thin, scale: Scale) -> Change | None:
    if thin.tokens * sum(weight.shape) > weight.numel():
        return None
    scaled = scale(name, weight, thin.mean_squares())
    if scaled is None:
        return None
    update = thin.scaled(scaled.left, scaled.right)
    return Change(scaled.keep, update.times(-scaled.size(update.mean_square().sqrt())))


def _former(name: str, weight: torch.Tensor, thin: Thin, one: Step) -> Callable[[int], torch.Tensor]:
    return lambda passage: one(name, weight, thin.whole(passage))


@torch.no_grad()
def logits_after(
    model: torch.nn.Module, taps: Sequence[Tap], stepped: Stepped, owners: Sequence[int], ids: torch.Tensor
) -> torch.Tensor:
    """Logits (rows, T, vocabulary) of ids (rows, T), each row under the model stepped on passage `owners[row]`."""
    of = torch.tensor(owners, device=ids.device)
    rows = len(owners)

    def hook(tap: Tap, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor | None:
        if tap.kind == "small":
            return _by_small(tap, stepped, of, x)
        name = tap.names["weight"]
        if name not in stepped.changes and name not in stepped.formed and not _has_bias(tap, stepped):
            return None
        return _by_matrix(tap, stepped, of, owners, x, output, rows)

    with hooked(taps, hook):
        return model(input_ids=ids, use_cache=False).logits


def _has_bias(tap: Tap, stepped: Stepped) -> bool:
    return tap.names.get("bias") in stepped.vectors


def _by_small(tap: Tap, stepped: Stepped, of: torch.Tensor, x: torch.Tensor) -> torch.Tensor | None:
    new = {own: stepped.vectors[name][of] for own, name in tap.names.items() if name in stepped.vectors}
    if not new:
        return None

    def one(values: dict[str, torch.Tensor], x_: torch.Tensor) -> torch.Tensor:
        return functional_call(tap.module, values, (x_[None],))[0]

    return vmap(one)(new, widened(x)).to(x.dtype)


def _by_matrix(
    tap: Tap,
    stepped: Stepped,
    of: torch.Tensor,
    owners: Sequence[int],
    x: torch.Tensor,
    output: torch.Tensor,
    rows: int,
) -> torch.Tensor:
    """What the module puts out with its stepped matrix and bias."""
    name, weight = tap.names["weight"], tap.module.weight
    out = int(weight.shape[0] if tap.kind == "linear" else weight.shape[1])
    bias = tap.module.bias if "bias" in tap.names else None
    made = widened(by_row(output, rows, out))
    made = made if bias is None else made - bias
    if name in stepped.changes:
        made = _changed(tap, stepped.changes[name], of, x, made)
    elif name in stepped.formed:
        made = _formed(tap, stepped.formed[name], owners, x, made)
    if bias is not None:
        named = tap.names["bias"]
        made = made + (stepped.vectors[named][of][:, None] if named in stepped.vectors else bias)
    shape = (rows, *output.shape[1:]) if output.shape[0] == 1 else output.shape
    return made.reshape(shape).to(output.dtype)


def _changed(tap: Tap, change: Change, of: torch.Tensor, x: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    rows = len(of)
    same = rows == len(change.more) and bool((of == torch.arange(rows, device=of.device)).all())
    x = x if tap.kind == "lookup" else widened(x)
    more = change.more if same else change.more[of]
    made = made if change.keep == 1.0 else made * change.keep
    if tap.kind == "linear":
        return made + more.after(by_row(x, rows, more.right.shape[2]))
    if tap.kind == "conv":
        return made + more.before(by_row(x, rows, more.left.shape[2]))
    return made + more.rows(by_row(x, rows, 1)[..., 0]) * getattr(tap.module, "embed_scale", 1.0)


def _formed(
    tap: Tap,
    former: Callable[[int], torch.Tensor],
    owners: Sequence[int],
    x: torch.Tensor,
    made: torch.Tensor,
) -> torch.Tensor:
    parts = torch.empty_like(made)
    for passage in dict.fromkeys(owners):
        weight = former(passage)
        rows = [row for row, owner in enumerate(owners) if owner == passage]
        if tap.kind == "lookup":
            ids = by_row(x, len(owners), 1)[..., 0]
            parts[rows] = weight[ids[rows]] * getattr(tap.module, "embed_scale", 1.0)
        else:
            into = int(weight.shape[1] if tap.kind == "linear" else weight.shape[0])
            own = widened(by_row(x, len(owners), into)[rows])
            parts[rows] = own @ (weight.mT if tap.kind == "linear" else weight)
    return parts
