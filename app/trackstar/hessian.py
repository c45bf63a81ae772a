"""R, its mixing and its inverse square root (TrackStar §3.4, eq. 3; appendix A.2).

    R = ΦᵀΦ / n per block,   R = λ R_eval + (1-λ) R_train,   R^(-1/2) by eigendecomposition in float64

Blocks are taken as independent: R is block-diagonal with p²×p² blocks.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from app.errors import UserError

# Eigenvalues below this share of the largest are rounding, not rank.
RANK_TOLERANCE = 1e-10


class Autocorrelation:
    """Sums ΦᵀΦ over rows, block by block, in float64."""

    def __init__(self, blocks: int, size: int) -> None:
        self.sum = torch.zeros(blocks, size, size, dtype=torch.float64)
        self.rows = 0

    def add(self, gradients: torch.Tensor) -> None:
        """Adds rows (n, d); zero and non-finite rows do not count."""
        usable = gradients.isfinite().all(1) & gradients.any(1)
        blocks, size = self.sum.shape[:2]
        rows = gradients[usable].double().view(-1, blocks, size)
        self.rows += len(rows)
        for block in range(blocks):
            part = rows[:, block]
            self.sum[block].addmm_(part.T, part)

    def mean(self) -> torch.Tensor:
        """R, (blocks, p², p²) float64.

        Raises:
            UserError: no row had a gradient.
        """
        if not self.rows:
            raise UserError(
                "No passage of the sample has a gradient.", remedy="Check that the corpus has text in it."
            )
        return self.sum / self.rows


@dataclass(frozen=True)
class HessianReport:
    """What was fitted, for the manifest and for people.

    Args:
        mixing: λ. rank_used: the k of the eigenvalue rule after bounding; None where λ was given or is 0.
        rank_train, rank_eval: eigenvalues above rounding, over all blocks.
        damping: share of the mean eigenvalue added to each block's diagonal.
        below_damping: share of all eigenvalues smaller than what was added.
        rows_train, rows_eval: passages and queries the two were fitted on.
    """

    mixing: float
    rank_used: int | None
    rank_train: int
    rank_eval: int
    damping: float
    below_damping: float
    rows_train: int
    rows_eval: int

    def as_dict(self) -> dict[str, Any]:
        """Plain fields for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Whitening:
    """R^(-1/2) as (blocks, p², p²), applied to rows (n, d)."""

    matrices: torch.Tensor
    report: HessianReport

    def apply(self, gradients: torch.Tensor) -> torch.Tensor:
        """(n, d) -> (n, d); symmetric, so rows times matrix is matrix times row."""
        blocks, size = self.matrices.shape[:2]
        out = torch.empty_like(gradients)
        for block in range(blocks):
            at = slice(block * size, (block + 1) * size)
            torch.matmul(gradients[:, at], self.matrices[block].to(gradients.dtype), out=out[:, at])
        return out


def fit_whitening(
    train: Autocorrelation,
    evaluation: Autocorrelation | None,
    *,
    mixing: float | None,
    rank: int,
    damping: float,
) -> Whitening:
    """R^(-1/2) of the mixed autocorrelation.

    Args:
        evaluation: R_eval's; None uses R_train alone (λ = 0).
        mixing: λ; None has the eigenvalue rule choose it.
        rank: k of that rule, before it is bounded by the rank of R_eval.
        damping: share of each block's mean eigenvalue, added to its diagonal.
    """
    r_train = train.mean()
    values_train = _eigenvalues(r_train)
    values_eval = torch.empty(0, dtype=torch.float64)
    used = None
    if evaluation is None:
        chosen, mixed = 0.0, r_train
    else:
        r_eval = evaluation.mean()
        values_eval = _eigenvalues(r_eval)
        chosen, used = (
            (mixing, None) if mixing is not None else choose_mixing(values_train, values_eval, rank)
        )
        mixed = chosen * r_eval + (1 - chosen) * r_train
    matrices, damped = [], 0
    for block in mixed:
        values, vectors = torch.linalg.eigh(block)
        if not values.max() > 0:  # no weight falls to it, as where an adapter is on attention only
            matrices.append(torch.zeros_like(block))
            continue
        added = damping * values.mean().clamp_min(torch.finfo(torch.float64).tiny)
        damped += int((values < added).sum())
        matrices.append((vectors * (values.clamp_min(0) + added).rsqrt()) @ vectors.T)
    report = HessianReport(
        mixing=float(chosen),
        rank_used=used,
        rank_train=_rank(values_train),
        rank_eval=_rank(values_eval),
        damping=damping,
        below_damping=damped / (mixed.shape[0] * mixed.shape[1]),
        rows_train=train.rows,
        rows_eval=evaluation.rows if evaluation else 0,
    )
    return Whitening(torch.stack(matrices).float(), report)


def choose_mixing(train: torch.Tensor, evaluation: torch.Tensor, rank: int) -> tuple[float, int]:
    """λ with λ σ_eval[k] = (1-λ) σ_train[k], and the k used.

    σ are the pooled eigenvalues of all blocks, largest first. k never passes the rank of either: beyond it
    σ_eval[k] is rounding, λ goes to 1 and R_train is thrown away (with 20 queries, k = 1000 gives 0.999999).
    """
    bounded = max(1, min(rank, _rank(evaluation), _rank(train)))
    sigma_train, sigma_eval = train[bounded - 1].item(), evaluation[bounded - 1].item()
    return sigma_train / (sigma_train + sigma_eval), bounded


def _eigenvalues(blocks: torch.Tensor) -> torch.Tensor:
    """All blocks' eigenvalues, largest first."""
    pooled = torch.cat([torch.linalg.eigvalsh(block) for block in blocks])
    return pooled.clamp_min(0).sort(descending=True).values


def _rank(values: torch.Tensor) -> int:
    return int((values > RANK_TOLERANCE * values.max()).sum()) if len(values) else 0
