"""The optimizers of a step, each as pure functions: the new weight, from a saved state that stays as it is.

The formulas are those of the optimizers whose states these are: torch's Adafactor and AdamW, transformers' Adafactor;
`sgd` is plain descent along the gradient divided by √V. An optimizer is one class here and one entry of `OPTIMIZERS`:
the command line, the pages and the API offer what stands there. Imports no torch, so that the site can read it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from app.errors import UserError

if TYPE_CHECKING:
    import torch

FLOAT_EPS = 2.0**-23  # torch's default of Adafactor's eps1: of float32
FACTORS = {"row_var", "col_var"}


@dataclass(frozen=True)
class Scaled:
    """An update of a matrix that is its gradient with every row and column scaled.

    W' = keep · W − size(rms) · diag(left) G diag(right), rms being that of diag(left) G diag(right).

    Args:
        left: (passages, rows) or (1, rows). right: (passages, columns) or (1, columns).
        size: of rms values (passages,), tensors of that shape.
    """

    keep: float
    left: "torch.Tensor"
    right: "torch.Tensor"
    size: "Callable[[torch.Tensor], torch.Tensor]"


class Optimizer(Protocol):
    """What a step must know of an optimizer."""

    @property
    def name(self) -> str:
        """As it is asked for."""

    @property
    def label(self) -> str:
        """As it is said on pages."""

    @property
    def estimated(self) -> Mapping[str, Any]:
        """Its settings where its state is estimated."""

    def lacking(
        self, weight: "torch.Tensor", moments: "Mapping[str, torch.Tensor]", settings: Mapping[str, Any]
    ) -> set[str]:
        """The moments that a step on this weight needs and that are not there."""

    def stepped(
        self,
        weight: "torch.Tensor",
        gradient: "torch.Tensor",
        moments: "Mapping[str, torch.Tensor]",
        settings: Mapping[str, Any],
        step: int,
    ) -> "torch.Tensor":
        """The weight after step number `step`, counted from 1.

        Args:
            settings: `lr`, and where they differ from torch's defaults `eps`, `d`, `beta2_decay`, `betas`,
                `weight_decay`; all of transformers' Adafactor.
        """

    def scaled(
        self,
        weight: "torch.Tensor",
        squares: "tuple[torch.Tensor, torch.Tensor]",
        moments: "Mapping[str, torch.Tensor]",
        settings: Mapping[str, Any],
        step: int,
    ) -> Scaled | None:
        """The same step of a matrix for several gradients at once, none of them formed; None where it has no such form.

        Args:
            squares: each gradient's mean square by row (passages, rows) and by column (passages, columns).
        """


class Adafactor:
    """torch's; of transformers' where the settings are its."""

    name, label = "adafactor", "Adafactor"
    estimated: Mapping[str, Any] = {
        "eps": (1e-16, 1e-3)
    }  # small enough that a small model's V is not clamped

    def lacking(self, weight: Any, moments: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
        """`row_var` and `col_var`, or of vectors `variance` (transformers: `exp_avg_sq`; `exp_avg` with a beta1)."""
        if not _of_transformers(settings):
            wanted = FACTORS if weight.dim() > 1 else {"variance"}
        else:
            wanted = FACTORS if weight.dim() > 1 else {"exp_avg_sq"}
            wanted = wanted | {"exp_avg"} if settings["beta1"] is not None else wanted
        return wanted - moments.keys()

    def stepped(
        self, weight: Any, gradient: Any, moments: Mapping[str, Any], settings: Mapping[str, Any], step: int
    ) -> Any:
        """See `Optimizer.stepped`."""
        if _of_transformers(settings):
            return _transformers_adafactor(weight, gradient, moments, settings, step)
        eps = _eps(settings)[0]
        if weight.dim() > 1:
            squares = gradient.square()
            row, col = _averaged(weight, (squares.mean(-1), squares.mean(-2)), moments, settings, step)
            # 1/√(row·col/mean) as an outer product of roots would lose the clamp that torch applies to V itself.
            variance = (row[..., :, None] * col[..., None, :]).div_(
                row.mean(-1)[..., None, None].clamp_(min=eps)
            )
        else:
            variance = moments["variance"].lerp(gradient * gradient, _fresh(settings, step))
        update = variance.clamp_(min=eps * eps).rsqrt_().mul_(gradient)
        size = _adafactor_size(weight, settings, step)(_rms(update))
        return update.mul_(-size).add_(weight, alpha=_keep(settings))

    def scaled(
        self,
        weight: Any,
        squares: tuple[Any, Any],
        moments: Mapping[str, Any],
        settings: Mapping[str, Any],
        step: int,
    ) -> Scaled | None:
        """None of transformers' Adafactor, and where V is so small anywhere that torch would clamp it."""
        if _of_transformers(settings) or weight.dim() != 2:
            return None
        eps = _eps(settings)[0]
        row, col = _averaged(weight, squares, moments, settings, step)
        row = row / row.mean(-1, keepdim=True).clamp_(min=eps)
        if bool((row.amin(-1) * col.amin(-1) < eps * eps).any()):
            return None
        size = _adafactor_size(weight, settings, step)
        return Scaled(_keep(settings), row.rsqrt(), col.rsqrt(), size)


class AdamW:
    """torch's; where V was estimated, by row and column, V is their product."""

    name, label = "adamw", "AdamW"
    estimated: Mapping[str, Any] = {}

    def lacking(self, weight: Any, moments: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
        """`exp_avg` and `exp_avg_sq`, or what was estimated of V."""
        estimated = FACTORS if weight.dim() > 1 else {"variance"}
        if moments.keys() & estimated:
            return estimated - moments.keys()
        return {"exp_avg", "exp_avg_sq"} - moments.keys()

    def stepped(
        self, weight: Any, gradient: Any, moments: Mapping[str, Any], settings: Mapping[str, Any], step: int
    ) -> Any:
        """See `Optimizer.stepped`."""
        beta1, beta2 = settings.get("betas", (0.9, 0.999))
        rate = settings["lr"]
        first = gradient  # of a first step, corrected for its bias
        if "exp_avg" in moments:
            first = moments["exp_avg"].lerp(gradient, 1 - beta1).div_(1 - beta1**step)
        second = _variance(weight, moments).mul(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        corrected = 1 - beta2**step if "exp_avg_sq" in moments else 1.0  # an estimate has no bias of zeros
        root = second.sqrt_().div_(corrected**0.5).add_(settings.get("eps", 1e-8))
        return (weight * _keep(settings)).addcdiv_(first, root, value=-rate)

    def scaled(self, *_: Any) -> None:
        """None: the passage's own squared gradient stands in V entry by entry."""
        return


class SGD:
    """Descent along the gradient divided by √V: V stays as it was estimated, nothing is clipped."""

    name, label = "sgd", "SGD preconditioned by √V"
    estimated: Mapping[str, Any] = {}

    def lacking(self, weight: Any, moments: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
        """`row_var` and `col_var`, or of vectors `variance`."""
        return (FACTORS if weight.dim() > 1 else {"variance"}) - moments.keys()

    def stepped(
        self, weight: Any, gradient: Any, moments: Mapping[str, Any], settings: Mapping[str, Any], step: int
    ) -> Any:
        """See `Optimizer.stepped`."""
        return weight.addcdiv(gradient, _variance(weight, moments).sqrt(), value=-settings["lr"])

    def scaled(
        self,
        weight: Any,
        squares: tuple[Any, Any],
        moments: Mapping[str, Any],
        settings: Mapping[str, Any],
        step: int,
    ) -> Scaled | None:
        """See `Optimizer.scaled`."""
        if weight.dim() != 2:
            return None
        row, col = _factors(weight, moments)
        rate = settings["lr"]
        return Scaled(1.0, (row / row.mean()).rsqrt()[None], col.rsqrt()[None], lambda rms: 0 * rms + rate)


OPTIMIZERS: Mapping[str, Optimizer] = {each.name: each for each in (Adafactor(), AdamW(), SGD())}


def optimizer_named(name: str) -> Optimizer:
    """The optimizer of that name.

    Raises:
        UserError: there is none.
    """
    if name not in OPTIMIZERS:
        raise UserError(
            f"There is no optimizer “{name}”.", field="optimizer", remedy=f"Use {', '.join(OPTIMIZERS)}."
        )
    return OPTIMIZERS[name]


def _of_transformers(settings: Mapping[str, Any]) -> bool:
    return "clip_threshold" in settings


def _eps(settings: Mapping[str, Any]) -> tuple[float, float]:
    first, second = settings.get("eps", (None, 1e-3))
    return FLOAT_EPS if first is None else first, second


def _fresh(settings: Mapping[str, Any], step: int) -> float:
    """How much of V is the newest gradient's."""
    return float(step) ** settings.get("beta2_decay", -0.8)


def _keep(settings: Mapping[str, Any]) -> float:
    return 1 - settings["lr"] * settings.get("weight_decay", 0.0)


def _averaged(
    weight: Any, squares: tuple[Any, Any], moments: Mapping[str, Any], settings: Mapping[str, Any], step: int
) -> tuple[Any, Any]:
    """Adafactor's moments after a gradient with these mean squares: (…, rows), (…, columns)."""
    fresh = _fresh(settings, step)
    row, col = _factors(weight, moments)
    return row + fresh * (squares[0] - row), col + fresh * (squares[1] - col)


def _factors(weight: Any, moments: Mapping[str, Any]) -> tuple[Any, Any]:
    """V's means by row and by column, without the dimension that torch keeps."""
    shape = weight.shape
    return moments["row_var"].reshape(shape[:-1]), moments["col_var"].reshape(shape[:-2] + shape[-1:])


def _adafactor_size(weight: Any, settings: Mapping[str, Any], step: int) -> Callable[[Any], Any]:
    alpha = _rms(weight).clamp(min=_eps(settings)[1]) * min(settings["lr"], float(step) ** -0.5)
    return lambda rms: alpha / (rms / settings.get("d", 1.0)).clamp(min=1.0)


def _transformers_adafactor(
    weight: Any, gradient: Any, moments: Mapping[str, Any], settings: Mapping[str, Any], step: int
) -> Any:
    eps1, eps2 = settings["eps"]
    fresh = float(step) ** settings["decay_rate"]
    rate = settings["lr"] * (_rms(weight).clamp(min=eps2) if settings["scale_parameter"] else 1.0)
    squares = gradient.square().add_(eps1)
    if weight.dim() > 1:
        row = moments["row_var"].lerp(squares.mean(-1), fresh)
        col = moments["col_var"].lerp(squares.mean(-2), fresh)
        root = (row / row.mean(-1, keepdim=True)).rsqrt_()[..., :, None] * col.rsqrt_()[..., None, :]
    else:
        root = moments["exp_avg_sq"].lerp(squares, fresh).rsqrt_()
    update = root.mul_(gradient)
    update.mul_(rate / (_rms(update) / settings["clip_threshold"]).clamp(min=1.0))
    if settings["beta1"] is not None:
        update = moments["exp_avg"].lerp(update, 1 - settings["beta1"])
    return weight * (1 - rate * settings["weight_decay"]) - update


def _variance(weight: Any, moments: Mapping[str, Any]) -> Any:
    """V of the weight's shape, from whatever is kept of it."""
    for whole in ("exp_avg_sq", "variance"):
        if whole in moments:
            return moments[whole]
    row, col = _factors(weight, moments)
    return (row / row.mean(-1, keepdim=True))[..., :, None] * col[..., None, :]


def _rms(value: Any) -> Any:
    return value.norm(2) / value.numel() ** 0.5
