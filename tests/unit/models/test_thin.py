"""Gradients that are never formed answer as the formed ones do."""

import pytest
import torch

from app.models.thin import Thin

ROWS, COLUMNS = 11, 6


def made(kind: str, seed: int = 0) -> Thin:
    """Of a linear map, of an embedding that looks one row up twice and one thrice, and of a tied one: both."""
    draw = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    linear = Thin.of(random(3, 4, ROWS), random(3, 4, COLUMNS))
    ids = torch.tensor([[2, 5, 2, 10], [0, 0, 0, 7], [1, 3, 4, 9]])
    lookup = Thin.looked_up(ids, random(3, 4, COLUMNS), ROWS)
    return {"linear": linear, "lookup": lookup, "tied": lookup + linear}[kind]


@pytest.fixture(params=["linear", "lookup", "tied"])
def thin(request: pytest.FixtureRequest) -> Thin:
    return made(request.param)


def formed(thin: Thin) -> torch.Tensor:
    """(n, rows, columns), token by token."""
    out = torch.zeros(len(thin), ROWS, COLUMNS, dtype=torch.float64)
    for passage in range(len(thin)):
        for left, right in zip(thin.left[passage], thin.right[passage], strict=True):
            out[passage] += torch.outer(left, right)
        for row, extra in zip(thin.at[passage], thin.extra[passage], strict=True):
            out[passage, row] += extra
    return out


def test_an_embeddings_gradient_is_what_autograd_says() -> None:
    ids = torch.tensor([[2, 5, 2, 10]])
    table = torch.zeros(ROWS, COLUMNS, dtype=torch.float64, requires_grad=True)
    gradients = torch.arange(24.0, dtype=torch.float64).reshape(1, 4, COLUMNS)
    (wanted,) = torch.autograd.grad((table[ids] * gradients).sum(), table)
    torch.testing.assert_close(Thin.looked_up(ids, gradients, ROWS).whole(0), wanted)


def test_what_a_step_asks_of_it_is_that_of_the_formed(thin: Thin) -> None:
    whole = formed(thin)
    torch.testing.assert_close(torch.stack([thin.whole(n) for n in range(3)]), whole)
    rows, columns = thin.mean_squares()
    torch.testing.assert_close(rows, whole.square().mean(2))
    torch.testing.assert_close(columns, whole.square().mean(1))
    torch.testing.assert_close(thin.mean_square(), whole.square().mean((1, 2)))


def test_rows_and_columns_can_be_scaled_for_each_passage_or_for_all(thin: Thin) -> None:
    for n in (1, 3):
        left, right = torch.rand(n, ROWS, dtype=torch.float64), torch.rand(n, COLUMNS, dtype=torch.float64)
        size = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        wanted = size[:, None, None] * left[:, :, None] * formed(thin) * right[:, None, :]
        torch.testing.assert_close(formed(thin.scaled(left, right).times(size)), wanted)


def test_its_products_are_those_of_the_formed(thin: Thin) -> None:
    whole, x = formed(thin), torch.rand(3, 5, COLUMNS, dtype=torch.float64)
    torch.testing.assert_close(thin.after(x), x @ whole.mT)
    ids = torch.tensor([[2, 2, 0, 5, 10], [0, 7, 7, 1, 2], [1, 3, 9, 4, 0]])
    torch.testing.assert_close(thin.rows(ids), torch.stack([w[i] for w, i in zip(whole, ids, strict=True)]))
    of = torch.tensor([2, 0, 0, 1])
    torch.testing.assert_close(formed(thin[of]), whole[of])


def test_a_transposed_matrix_takes_its_input_from_the_left() -> None:
    thin, x = made("linear"), torch.rand(3, 5, ROWS, dtype=torch.float64)
    torch.testing.assert_close(thin.before(x), x @ formed(thin))
