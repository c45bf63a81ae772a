"""One optimizer step on one weight as a pure function: the new weight, from a saved state that stays as it is.

The formulas are torch's (`torch.optim.Adafactor`, `torch.optim.AdamW`), whose states these are.
"""

from collections.abc import Mapping
from typing import Any

import torch


def stepped(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    moments: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    step: int,
) -> torch.Tensor:
    """The weight after step number `step` + 1.

    Args:
        moments: `row_var` and `col_var`, or `variance` (Adafactor); `exp_avg` and `exp_avg_sq` (Adam, AdamW).
        settings: `lr`, and where they differ from torch's defaults `eps`, `d`, `beta2_decay`, `betas`, `weight_decay`.
    """
    if "exp_avg_sq" in moments:
        return _adamw(weight, gradient, moments, settings, step + 1)
    return _adafactor(weight, gradient, moments, settings, step + 1)


def _adafactor(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    moments: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    step: int,
) -> torch.Tensor:
    eps1, eps2 = settings.get("eps", (None, 1e-3))
    eps1 = torch.finfo(weight.dtype).eps if eps1 is None else eps1
    rate = settings["lr"]
    fresh = float(step) ** settings.get("beta2_decay", -0.8)
    alpha = max(eps2, _rms(weight)) * min(rate, float(step) ** -0.5)
    if weight.dim() > 1:
        row = moments["row_var"].reshape(*weight.shape[:-1], 1)
        col = moments["col_var"].reshape(*weight.shape[:-2], 1, weight.shape[-1])
        row = row.lerp(_mean_square(gradient, -1), fresh)
        col = col.lerp(_mean_square(gradient, -2), fresh)
        # 1/√(row·col/mean) as an outer product of roots would lose the clamp that torch applies to V itself.
        variance = (row @ col).div_(row.mean(dim=-2, keepdim=True).clamp_(min=eps1))
    else:
        variance = moments["variance"].lerp(gradient * gradient, fresh)
    update = variance.clamp_(min=eps1 * eps1).rsqrt_().mul_(gradient)
    clip = max(1.0, _rms(update) / settings.get("d", 1.0))
    kept = weight * (1 - rate * settings.get("weight_decay", 0.0)) if settings.get("weight_decay") else weight
    return update.mul_(-alpha / clip).add_(kept)


def _adamw(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    moments: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    step: int,
) -> torch.Tensor:
    beta1, beta2 = settings.get("betas", (0.9, 0.999))
    rate = settings["lr"]
    first = moments["exp_avg"].lerp(gradient, 1 - beta1)
    second = moments["exp_avg_sq"].mul(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = second.sqrt_().div_((1 - beta2**step) ** 0.5).add_(settings.get("eps", 1e-8))
    decayed = weight * (1 - rate * settings.get("weight_decay", 0.0))
    return decayed.addcdiv_(first, root, value=-rate / (1 - beta1**step))


def _rms(value: torch.Tensor) -> float:
    return value.norm(2).item() / value.numel() ** 0.5


def _mean_square(value: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.norm(value, dim=dim, keepdim=True).square_().div_(value.size(dim))
