"""Gradients of a matrix, one for each of n passages, as products that are not formed.

    G = leftᵀ right, and `extra` added at the rows `at`

left and right have a row for each token of a passage; `at` and `extra` are what an embedding has of a gradient: one row
for each token that was looked up. What a step needs of G (its mean squares, its norm once scaled, its products) comes
from tokens alone, at T² · (rows + columns) in place of T · rows · columns and all of the memory of G.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Thin:
    """n gradients of a matrix (rows, columns).

    Args:
        left: (n, T, rows). right: (n, T, columns).
        at: (n, U) rows, where repeated with `extra` zero but once. extra: (n, U, columns).
    """

    left: torch.Tensor
    right: torch.Tensor
    at: torch.Tensor
    extra: torch.Tensor

    @classmethod
    def of(cls, left: torch.Tensor, right: torch.Tensor) -> "Thin":
        """Of a linear map."""
        n, _, columns = right.shape
        return cls(
            left,
            right,
            torch.empty(n, 0, dtype=torch.long, device=left.device),
            right.new_empty(n, 0, columns),
        )

    @classmethod
    def looked_up(cls, ids: torch.Tensor, gradients: torch.Tensor, rows: int) -> "Thin":
        """Of an embedding: ids (n, U), gradients of what was found (n, U, columns)."""
        n, u, columns = gradients.shape
        equal = ids[:, :, None] == ids[:, None, :]
        again = (equal & equal.new_ones(u, u).tril(-1)).any(-1)
        extra = (equal.to(gradients.dtype) @ gradients).masked_fill(again[..., None], 0.0)
        return cls(gradients.new_empty(n, 0, rows), gradients.new_empty(n, 0, columns), ids, extra)

    def __add__(self, other: "Thin") -> "Thin":
        """The sum with a gradient that looked nothing up, or none of the same rows."""
        pairs = zip(self, other, strict=True)
        return Thin(
            *(torch.cat(pair, 1) if all(p.shape[1] for p in pair) else _there(*pair) for pair in pairs)
        )

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter((self.left, self.right, self.at, self.extra))

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, of: torch.Tensor) -> "Thin":
        """The gradients of these passages."""
        return Thin(*(part[of] for part in self))

    @property
    def tokens(self) -> int:
        """T: how many products G is the sum of."""
        return self.left.shape[1]

    def whole(self, passage: int) -> torch.Tensor:
        """One passage's G, formed."""
        made = self.left[passage].mT @ self.right[passage]
        return made.index_add_(0, self.at[passage], self.extra[passage])

    def mean_squares(self) -> tuple[torch.Tensor, torch.Tensor]:
        """By row (n, rows) and by column (n, columns)."""
        rows = ((gram(self.right) @ self.left) * self.left).sum(1)
        columns = ((gram(self.left) @ self.right) * self.right).sum(1)
        more = self._more()
        rows = rows.scatter_add(1, self.at, more.sum(2))
        columns = columns + more.sum(1)
        return rows.clamp_(min=0) / columns.shape[1], columns.clamp_(min=0) / rows.shape[1]

    def mean_square(self) -> torch.Tensor:
        """Over all entries, (n,)."""
        entries = self.left.shape[2] * self.right.shape[2]
        squares = (gram(self.left) * gram(self.right)).sum((1, 2)) + self._more().sum((1, 2))
        return squares.clamp_(min=0) / entries

    def _more(self) -> torch.Tensor:
        """(n, U, columns): by how much `extra` changes the square of each entry of its rows."""
        return self.extra * (self.extra + 2 * self._product_rows(self.at))

    def _product_rows(self, ids: torch.Tensor) -> torch.Tensor:
        picked = self.left.gather(2, ids[:, None].expand(-1, self.tokens, -1))
        return picked.mT @ self.right

    def scaled(self, left: torch.Tensor, right: torch.Tensor) -> "Thin":
        """diag(left) G diag(right): left (n or 1, rows), right (n or 1, columns)."""
        own = left.expand(len(self), -1).gather(1, self.at)
        extra = self.extra * own[..., None] * right[:, None]
        return Thin(self.left * left[:, None], self.right * right[:, None], self.at, extra)

    def times(self, size: torch.Tensor) -> "Thin":
        """size · G, size (n,)."""
        each = size[:, None, None]
        return Thin(self.left, self.right * each, self.at, self.extra * each)

    def rows(self, ids: torch.Tensor) -> torch.Tensor:
        """The rows `ids` (n, Q) of each G: (n, Q, columns)."""
        same = (ids[:, :, None] == self.at[:, None, :]).to(self.extra.dtype)
        return self._product_rows(ids) + same @ self.extra

    def after(self, x: torch.Tensor) -> torch.Tensor:
        """x Gᵀ: x (n, Q, columns) to (n, Q, rows)."""
        made = (x @ self.right.mT) @ self.left
        if not self.at.shape[1]:
            return made
        at = self.at[:, None].expand(-1, x.shape[1], -1)
        return made.scatter_add_(2, at, x @ self.extra.mT)

    def before(self, x: torch.Tensor) -> torch.Tensor:
        """x G: x (n, Q, rows) to (n, Q, columns), of a gradient that looked nothing up."""
        return (x @ self.left.mT) @ self.right


def gram(side: torch.Tensor) -> torch.Tensor:
    """Products of every two tokens, (n, T, T)."""
    return side @ side.mT


def _there(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return one if one.shape[1] else other
