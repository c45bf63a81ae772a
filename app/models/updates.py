"""One optimizer step on one weight as a pure function: the new weight, from a saved state that stays as it is.

The formulas are those of the optimizers whose states these are: torch's Adafactor and AdamW, transformers' Adafactor.
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
        moments: what `lacking` asks for.
        settings: `lr`, and where they differ from torch's defaults `eps`, `d`, `beta2_decay`, `betas`, `weight_decay`;
            all of transformers' Adafactor.
    """
    if _of_transformers(settings):
        return _transformers_adafactor(weight, gradient, moments, settings, step + 1)
    if "exp_avg_sq" in moments:
        return _adamw(weight, gradient, moments, settings, step + 1)
    return _adafactor(weight, gradient, moments, settings, step + 1)


def lacking(
    weight: torch.Tensor, moments: Mapping[str, torch.Tensor], settings: Mapping[str, Any]
) -> set[str]:
    """The moments that a step on this weight needs and that are not there.

    `row_var` and `col_var`, or of vectors `variance` (Adafactor); `exp_avg` and `exp_avg_sq` (Adam, AdamW).
    Transformers' Adafactor has `exp_avg_sq` for vectors, and `exp_avg` if it has a beta1.
    """
    factors = {"row_var", "col_var"}
    if _of_transformers(settings):
        wanted = factors if weight.dim() > 1 else {"exp_avg_sq"}
        wanted = wanted | {"exp_avg"} if settings["beta1"] is not None else wanted
    elif "exp_avg_sq" in moments:
        wanted = {"exp_avg", "exp_avg_sq"}
    else:
        wanted = factors if weight.dim() > 1 else {"variance"}
    return wanted - moments.keys()


def _of_transformers(settings: Mapping[str, Any]) -> bool:
    return "clip_threshold" in settings


def _transformers_adafactor(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    moments: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    step: int,
) -> torch.Tensor:
    eps1, eps2 = settings["eps"]
    fresh = float(step) ** settings["decay_rate"]
    rate = settings["lr"] * (max(eps2, _rms(weight)) if settings["scale_parameter"] else 1.0)
    squares = gradient.square().add_(eps1)
    if weight.dim() > 1:
        row = moments["row_var"].lerp(squares.mean(-1), fresh)
        col = moments["col_var"].lerp(squares.mean(-2), fresh)
        root = (row / row.mean(-1, keepdim=True)).rsqrt_()[..., :, None] * col.rsqrt_()[..., None, :]
    else:
        root = moments["exp_avg_sq"].lerp(squares, fresh).rsqrt_()
    update = root.mul_(gradient)
    update.mul_(rate / max(1.0, _rms(update) / settings["clip_threshold"]))
    if settings["beta1"] is not None:
        update = moments["exp_avg"].lerp(update, 1 - settings["beta1"])
    return weight * (1 - rate * settings["weight_decay"]) - update


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
