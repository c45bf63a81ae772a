"""How much is added to EK-FAC's curvature: a search in one dimension, by gradients that the factors were not fitted on.

In the factors' bases a passage's gradient is taken for a draw of mean 0 and variance Λ_ij + δ · mean(Λ). The δ under which the
gradients of other passages are likeliest,

    δ = argmin Σ_W Σ_ij log(Λ_ij + δ · mean(Λ)) + E_ij / (Λ_ij + δ · mean(Λ)),   E: their mean squares

says how far the small curvatures can be trusted: with few passages many are smaller than those of others turn out to be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from app.curvature.factors import Curvatures, Factors
from app.curvature.fit import BUDGET, parted
from app.curvature.passing import passed, usable
from app.errors import UserError
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.showing import counting

TRIED = tuple(10.0 ** (half / 2) for half in range(-16, 5))
"""From 10⁻⁸ to 100, two to a power of ten."""


def search_damping(
    loaded: LoadedModel,
    curvature: Mapping[str, Factors],
    others: Sequence[TrainingExample],
    *,
    labels: str,
    seed: int,
    budget: int = BUDGET,
    done: Callable[[int, int], None] | None = None,
) -> float:
    """The damping of `TRIED` under which the gradients of `others` are likeliest.

    Args:
        others: passages that the factors were not fitted on. labels, seed: as of the fit.
        budget: bytes that the sums of weights that are taken together may take.
        done: called with passages gone through and all there are to go through.

    Raises:
        UserError: none of the others has a loss token.
    """
    held_out = usable(others)
    if not held_out:
        raise UserError(
            "No passage is left to search the damping by.",
            field="rerank_damping",
            remedy="Give a number, or a corpus with more passages.",
        )
    capture, parts = Capture(loaded), parted(loaded.weights, budget)
    went = counting(done or (lambda gone, total: None), len(held_out) * len(parts))
    unlikely = torch.zeros(len(TRIED), dtype=torch.float64)
    for part in parts:
        own = {at: curvature[loaded.weights[at].name] for at in part}
        squares = Curvatures(
            {at: (each.left.to(loaded.dtype), each.right.to(loaded.dtype)) for at, each in own.items()}
        )
        passed(capture, held_out, squares, labels, seed + 1, went)
        for at, factors in own.items():
            mean = (squares.sums[at] / len(held_out)).cpu()
            for place, damping in enumerate(TRIED):
                unlikely[place] += _unlikely(replace(factors, damping=damping), mean)
    return TRIED[int(unlikely.argmin())]


def _unlikely(factors: Factors, squares: torch.Tensor) -> float:
    """Minus twice the log likelihood of one weight's gradients, without what does not depend on the damping."""
    variance = factors.damped().double().cpu()
    if not variance.any():  # a weight that no passage of the sample touched
        return 0.0
    return float((variance.log() + squares / variance).sum())
