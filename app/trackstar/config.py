"""Every switch of the method (TrackStar §4); which settings have names, `app.words.methods` says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from app.errors import UserError
from app.models.losses import Loss
from app.words.methods import encodings

SecondMoments = Literal["factored", "exact", "none"]
HessianKind = Literal["train", "mixed", "none"]


@dataclass(frozen=True)
class EncodingConfig:
    """How a passage's or query's gradient becomes its encoding. Two equal methods make equal encodings.

    Args:
        groups: contiguous groups the layers are cut into, g.
        projection_dim: p; each of the 2·g blocks (attention and MLP of a group) is p×p, so d = g·2·p².
        seed: of the projection and of the samples the fit draws.
        second_moments: V, divided out before projecting. `factored`: V_ij = r_i c_j / mean(r). `exact`: every
            entry of AdamW's `exp_avg_sq` (slower). `none`: not divided out.
        hessian: R. `train`: autocorrelation of a corpus sample. `mixed`: λ R_eval + (1-λ) R_train, R_eval from
            queries of the task. `none`: no whitening.
        mixing: λ of `mixed`; None has the eigenvalue rule choose it.
        mixing_rank: k of the eigenvalue rule; None scales the paper's 1,000 of 65,536 to d.
        damping: added to R's diagonal, as a share of the block's mean eigenvalue.
        unit_norm: divide the encoding by its length.
        loss: `cross_entropy`, TRAK's `margin`, log(p / (1-p)), or the token's `logit`, summed over tokens.
    """

    groups: int = 2
    projection_dim: int = 32
    seed: int = 0
    second_moments: SecondMoments = "factored"
    hessian: HessianKind = "train"
    mixing: float | None = None
    mixing_rank: int | None = None
    damping: float = 1.0
    unit_norm: bool = True
    loss: Loss = "cross_entropy"

    def __post_init__(self) -> None:
        """Refuses settings that make no method."""
        _one_of(self.second_moments, get_args(SecondMoments), "second_moments")
        _one_of(self.hessian, get_args(HessianKind), "hessian")
        _one_of(self.loss, get_args(Loss), "loss")
        for name in ("groups", "projection_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{getattr(self, name)} is below one.", field=name, remedy="Give 1 or more.")
        if not self.damping > 0:
            raise UserError(
                f"{self.damping} is not above zero.",
                field="damping",
                remedy="1, the mean eigenvalue itself, suits most.",
            )
        if self.mixing is not None and not 0 <= self.mixing <= 1:
            raise UserError(
                f"λ = {self.mixing} is not between 0 and 1.", field="mixing", remedy="0 is R_train alone."
            )

    @property
    def block_size(self) -> int:
        """Entries of one block, p²."""
        return self.projection_dim**2

    @property
    def blocks(self) -> int:
        """Attention and MLP blocks of all groups, in the order (group 0 attention, group 0 MLP, group 1 …)."""
        return 2 * self.groups

    @property
    def dimension(self) -> int:
        """d = g · 2 · p²."""
        return self.blocks * self.block_size

    @property
    def rank(self) -> int:
        """k of the eigenvalue rule, before it is bounded by the rank of R_eval."""
        return self.mixing_rank or max(1, round(self.dimension * 1000 / 65536))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The setting of a method by gradients of the registry, `changes` replacing single fields.

        Raises:
            UserError: there is no such method, or it is not by gradients.
        """
        presets = encodings()
        if name not in presets:
            raise UserError(
                f"There is no method by gradients called {name!r}.",
                field="method",
                remedy=f"Choose one of {', '.join(presets)}.",
            )
        return replace(cls(**presets[name]), **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain fields for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`.

        Raises:
            UserError: a field is unknown, as in files of a newer version.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise UserError(
                f"The method has the unknown field {unknown[0]!r}.",
                remedy="Use the version of Startrail that wrote it.",
            )
        return cls(**values)


def _one_of(value: str, allowed: tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise UserError(f"{value!r} is not known.", field=name, remedy=f"Choose one of {', '.join(allowed)}.")
