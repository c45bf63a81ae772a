"""P_d: a two-sided Gaussian projection of every linear weight's gradient (TrackStar §3.3).

    P(G) = P_out G P_inᵀ,   P_out (p, out), P_in (p, in), entries N(0, 1/p)

Each weight's two matrices come from their own stream, keyed by seed, weight name and side: they depend on
neither the order of the weights nor the machine (NumPy's Philox is the same everywhere).
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from app.errors import UserError
from app.models.weights import LinearWeight, group_of, layers_of
from app.trackstar.config import EncodingConfig
from app.trackstar.moments import Exact, Factored, Moments


def gaussian(seed: int, name: str, side: Literal["out", "in"], p: int, width: int) -> torch.Tensor:
    """A (p, width) float64 matrix with entries N(0, 1/p). Not 1/width: attention and MLP differ in width."""
    key = hashlib.sha256(f"{seed}:{name}:{side}".encode()).digest()[:16]
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
    return torch.from_numpy(stream.standard_normal((p, width)) / p**0.5)


@dataclass(frozen=True)
class ProjectedWeight:
    """How one weight's gradient goes into its block.

    Args:
        block: number of the block, 2·group + (0 attention, 1 MLP).
        left: (p, out); with factored V, P_out diag(1/√r).
        right: (p, in); with factored V, P_in diag(1/√(c / mean r)).
        inverse_root: 1/√V (out, in) where V is exact; else None.
    """

    weight: LinearWeight
    block: int
    left: torch.Tensor
    right: torch.Tensor
    inverse_root: torch.Tensor | None


def project_weights(
    weights: list[LinearWeight],
    method: EncodingConfig,
    moments: Moments | None,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> list[ProjectedWeight]:
    """The projection of every weight, with factored V folded in.

    Raises:
        UserError: there are fewer layers than groups.
    """
    layers = layers_of(weights)
    if method.groups > len(layers):
        raise UserError(
            f"{len(layers)} layers cannot be cut into {method.groups} groups.",
            field="groups",
            remedy=f"Choose at most {len(layers)}.",
        )
    made = []
    for weight in weights:
        left = gaussian(method.seed, weight.name, "out", method.projection_dim, weight.out_features)
        right = gaussian(method.seed, weight.name, "in", method.projection_dim, weight.in_features)
        moment = moments.values[weight.name] if moments else None
        root = None
        if isinstance(moment, Factored):
            row, col = moment.scales()
            left, right = left * row.cpu(), right * col.cpu()
        elif isinstance(moment, Exact):
            root = moment.inverse_root().to(device, dtype)
        block = 2 * group_of(weight, layers, method.groups) + (weight.kind == "mlp")
        made.append(ProjectedWeight(weight, block, left.to(device, dtype), right.to(device, dtype), root))
    return made


def direction(one: ProjectedWeight, block: torch.Tensor) -> torch.Tensor:
    """The weight-space direction (out, in) along which a gradient's inner product is its block's: Pᵀ(M) / √V.

    ⟨∇_W L, direction(M)⟩ = ⟨P_out (∇_W L / √V) P_inᵀ, M⟩ for every gradient; `block` is M, (p, p).
    """
    whole = one.left.T @ block.to(one.left) @ one.right
    return whole if one.inverse_root is None else whole * one.inverse_root
