"""R, λ and R^(-1/2) by what they must do, not by how they are computed."""

from typing import Any

import pytest
import torch

from app.errors import UserError
from app.trackstar.hessian import Autocorrelation, choose_mixing, fit_whitening


def rows(count: int, size: int = 6, blocks: int = 2, seed: int = 0) -> torch.Tensor:
    """Correlated rows of `blocks` blocks."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.cat(
        [torch.randn(count, size, generator=generator, dtype=torch.float64) @ mixing] * blocks, 1
    )


def summed(values: torch.Tensor, size: int = 6, blocks: int = 2) -> Autocorrelation:
    made = Autocorrelation(blocks, size)
    made.add(values)
    return made


def test_whitened_rows_have_the_identity_as_autocorrelation() -> None:
    """The inverse square root on both sides. R itself, or R^(-1) on one side, would not give this."""
    phi = rows(500)
    whitening = fit_whitening(summed(phi), None, mixing=None, rank=1, damping=1e-12)
    white = whitening.apply(phi)[:, :6]
    assert torch.allclose(white.T @ white / 500, torch.eye(6, dtype=torch.float64), atol=1e-4)


def test_rows_in_parts_and_zero_rows_give_the_same_r() -> None:
    """An empty passage of the sample must not shrink R."""
    phi = rows(40)
    parts = Autocorrelation(2, 6)
    parts.add(phi[:7])
    parts.add(torch.cat([phi[7:], torch.zeros(5, 12, dtype=torch.float64), torch.full((1, 12), torch.nan)]))
    assert parts.rows == 40
    assert torch.allclose(parts.mean(), summed(phi).mean())


def test_mixing_makes_the_two_equal_at_the_chosen_eigenvalue() -> None:
    """λ σ_eval[k] = (1-λ) σ_train[k]."""
    train = torch.tensor([100.0, 10.0, 1.0, 0.1])
    evaluation = torch.tensor([50.0, 30.0, 3.0, 0.2])
    for k in (1, 2, 3, 4):
        mixing, used = choose_mixing(train, evaluation, k)
        assert used == k
        assert mixing * evaluation[k - 1] == pytest.approx((1 - mixing) * train[k - 1])


def test_the_rule_never_passes_the_rank_of_the_queries() -> None:
    """With 3 queries and k = 1000 the paper's rule would give λ = 0.999999 and throw R_train away."""
    train, few = rows(500), rows(3, seed=1)
    fitted = fit_whitening(summed(train), summed(few), mixing=None, rank=1000, damping=1e-3)
    report = fitted.report
    assert report.rank_eval <= 3 * 2
    assert report.rank_used == report.rank_eval
    assert 0.01 < report.mixing < 0.99


def test_mixing_zero_is_r_train_alone_and_one_is_r_eval_alone() -> None:
    train, evaluation = summed(rows(100)), summed(rows(100, seed=1))

    def matrices(*args: Any, mixing: float | None) -> torch.Tensor:
        return fit_whitening(*args, mixing=mixing, rank=3, damping=1e-3).matrices

    assert torch.equal(matrices(train, evaluation, mixing=0.0), matrices(train, None, mixing=None))
    assert torch.equal(matrices(train, evaluation, mixing=1.0), matrices(evaluation, None, mixing=None))


def test_the_report_says_how_much_damping_hides() -> None:
    """A rank-deficient R: the missing directions are the ones below the damping."""
    report = fit_whitening(summed(rows(3)), None, mixing=None, rank=1, damping=1e-3).report
    assert report.rank_train == 6
    assert report.below_damping == pytest.approx(0.5)
    assert (report.rows_train, report.rows_eval, report.mixing) == (3, 0, 0.0)


def test_a_sample_without_gradients_is_refused() -> None:
    with pytest.raises(UserError, match="No passage of the sample has a gradient"):
        summed(torch.zeros(3, 12)).mean()
