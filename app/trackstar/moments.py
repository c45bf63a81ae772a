"""V, the optimizer's second moments of the linear weights, factored or exact.

Factored, V_ij = r_i c_j / mean(r) (Adafactor, Shazeer & Stern 2018, eq. 4), with r over outputs and c over
inputs. Division by √V is then a scaling of rows and columns, and no gradient matrix is ever formed.
Factors are float32 or more: nine tenths of the second moments lie below float16's smallest number.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from app.errors import UserError
from app.models.load import LoadedModel
from app.models.optimizer_state import OptimizerState, read_optimizer
from app.models.weights import LinearWeight
from app.trackstar.config import SecondMoments

# A row or column that never saw a gradient must not weigh infinitely: factors are at least this share of
# their mean, entries of an exact V at least its square.
FLOOR = 1e-8


@dataclass(frozen=True)
class Factored:
    """V = row ⊗ col / mean(row); row (out,), col (in,), both mean squares."""

    row: torch.Tensor
    col: torch.Tensor

    def scales(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Float64 (out,) and (in,) whose outer product is 1/√V."""
        row, col = (_floored(factor.double()) for factor in (self.row, self.col))
        return row.rsqrt(), (col / row.mean()).rsqrt()

    def inverse_root(self) -> torch.Tensor:
        """1/√V as a float64 (out, in) matrix."""
        row, col = self.scales()
        return row[:, None] * col[None, :]


@dataclass(frozen=True)
class Exact:
    """Every entry of V, (out, in)."""

    value: torch.Tensor

    def factored(self) -> Factored:
        """Row and column means, the best factors in the sense of Adafactor."""
        return Factored(self.value.mean(1), self.value.mean(0))

    def inverse_root(self) -> torch.Tensor:
        """1/√V as a float64 (out, in) matrix."""
        return _floored(self.value.double()).rsqrt()


@dataclass(frozen=True)
class Moments:
    """Second moments by weight name, and where they come from (for the manifest and for people)."""

    values: Mapping[str, Factored | Exact]
    source: str

    @property
    def sha256(self) -> str:
        """Over the names and values, so that an index knows the V it was built with."""
        digest = hashlib.sha256()
        for name in sorted(self.values):
            value = self.values[name]
            for tensor in (value.row, value.col) if isinstance(value, Factored) else (value.value,):
                digest.update(name.encode() + b"\0" + tensor.float().contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()


def load_moments(loaded: LoadedModel, kind: SecondMoments) -> Moments | None:
    """V from the optimizer's state beside the weights; None where the method asks for none.

    Adafactor's V is factored by definition: asked for exactly, it is the same factors. AdamW's `exp_avg_sq`
    is factored by its row and column means, or kept whole.

    Raises:
        UserError: there is no optimizer state (`has_optimizer` tells), or it does not fit the model.
    """
    if kind == "none":
        return None
    state = read_optimizer(loaded.path, loaded.model)
    values = {weight.name: _moment(weight, state, kind) for weight in loaded.weights}
    exact = any(isinstance(value, Exact) for value in values.values())
    form = "every entry" if exact else "row and column factors"
    return Moments(values, f"{state.optimizer} state in {state.file.name}, {form}")


def _moment(weight: LinearWeight, state: OptimizerState, kind: SecondMoments) -> Factored | Exact:
    entry = state.entries.get(weight.name)
    if entry is None:
        raise UserError(
            f"The optimizer's state has nothing for the weight {weight.name}.",
            file=state.file,
            field=weight.name,
            remedy="Give the state that was saved with these weights.",
        )
    rows, cols = weight.stored_shape
    if "row_var" in entry and "col_var" in entry:
        row, col = entry["row_var"].flatten(), entry["col_var"].flatten()
        _check(weight, state, (len(row), len(col)), (rows, cols), [row, col])
        return Factored(col, row) if weight.transposed else Factored(row, col)
    if "exp_avg_sq" in entry:
        value = entry["exp_avg_sq"]
        _check(weight, state, tuple(value.shape), (rows, cols), [value])
        exact = Exact(weight.oriented(value).contiguous())
        return exact if kind == "exact" else exact.factored()
    raise UserError(
        f"The optimizer's state of {weight.name} has no second moment, only {', '.join(sorted(entry)) or 'nothing'}.",
        file=state.file,
        field=weight.name,
        remedy="Adafactor and Adam(W) states are read.",
    )


def _check(
    weight: LinearWeight,
    state: OptimizerState,
    found: Sequence[int],
    wanted: Sequence[int],
    tensors: Iterable[torch.Tensor],
) -> None:
    moments = [tensor for tensor in tensors if tensor.dim()]
    problem = ""
    if tuple(found) != tuple(wanted):
        problem = f"has shape {tuple(found)}, the weight {tuple(wanted)}"
    elif not all(bool(tensor.isfinite().all()) for tensor in moments):
        problem = "is not a number somewhere"
    elif any(bool((tensor < 0).any()) for tensor in moments):
        problem = "is negative somewhere"
    elif not any(bool((tensor > 0).any()) for tensor in moments):
        problem = "is zero throughout"
    if problem:
        raise UserError(
            f"The second moment of {weight.name} {problem}.",
            file=state.file,
            field=weight.name,
            remedy="Give the state that was saved with these weights.",
        )


def _floored(value: torch.Tensor) -> torch.Tensor:
    mean = value.mean()
    return value.clamp_min(mean * (FLOOR if value.dim() == 1 else FLOOR**2))
