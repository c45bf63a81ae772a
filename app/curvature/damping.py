"""How much is added to EK-FAC's curvature: a search in one dimension, by gradients that the factors were not fitted on.

In the factors' bases a passage's gradient is taken for a draw of mean 0 and variance Λ_ij + δ · mean(Λ). The δ under which the
gradients of other passages are likeliest,

    δ = argmin Σ_W Σ_ij log(Λ_ij + δ · mean(Λ)) + E_ij / (Λ_ij + δ · mean(Λ)),   E: their mean squares

says how far the small curvatures can be trusted: with few passages many are smaller than those of others turn out to be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from app.curvature.factors import Curvatures, Factors
from app.curvature.parts import BUDGET, shared_out
from app.curvature.passing import passed, usable
from app.errors import UserError
from app.models.capture import Capture
from app.models.examples import TrainingExample
from app.models.hands import Done, Hands, own_hands, unheard
from app.models.load import LoadedModel
from app.showing import counting

TRIED = tuple(10.0 ** (half / 2) for half in range(-16, 5))
"""From 10⁻⁸ to 100, two to a power of ten."""


@dataclass(frozen=True)
class PartSquares:
    """E of parts of the weights, given as number and bases, by these numbers; see `app.models.hands.Work`.

    Args:
        sample: passages with a loss token. labels, seed: see `app.curvature.passing.passed`.
    """

    sample: Sequence[TrainingExample]
    labels: str
    seed: int

    def begin(
        self, loaded: LoadedModel, /
    ) -> Callable[[Sequence[tuple[int, torch.Tensor, torch.Tensor]], Done], dict[int, torch.Tensor]]:
        """See `app.models.hands.Work.begin`."""
        capture, here = Capture(loaded), (loaded.device, loaded.dtype)

        def squares(
            part: Sequence[tuple[int, torch.Tensor, torch.Tensor]], done: Done
        ) -> dict[int, torch.Tensor]:
            sink = Curvatures({at: (left.to(*here), right.to(*here)) for at, left, right in part})
            passed(capture, self.sample, sink, self.labels, self.seed, done)
            return {at: total.div_(len(self.sample)).cpu() for at, total in sink.sums.items()}

        return squares


def search_damping(
    loaded: LoadedModel,
    curvature: Mapping[str, Factors],
    others: Sequence[TrainingExample],
    *,
    labels: str,
    seed: int,
    budget: int = BUDGET,
    done: Callable[[int, int], None] | None = None,
    hands: Hands[LoadedModel] | None = None,
) -> float:
    """The damping of `TRIED` under which the gradients of `others` are likeliest.

    Args:
        others: passages that the factors were not fitted on. labels, seed: as of the fit.
        budget: bytes that the sums of weights that are taken together may take.
        done: called with passages gone through and all there are to go through.
        hands: who goes through them, for a part of the weights at a time; None: this process.

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
    who = hands or own_hands(loaded)
    parts = shared_out(loaded.weights, budget, who.count)
    own = [curvature[weight.name] for weight in loaded.weights]
    pieces = ([(at, own[at].left, own[at].right) for at in part] for part in parts)
    told, each = done or (lambda gone, total: None), len(held_out)
    within = counting(told, each * len(parts)) if who.count == 1 else unheard
    unlikely = torch.zeros(len(TRIED), dtype=torch.float64)
    for number, squares in enumerate(
        who.each(PartSquares(held_out, labels, seed + 1), pieces, within), start=1
    ):
        for at, mean in squares.items():
            for place, damping in enumerate(TRIED):
                unlikely[place] += _unlikely(replace(own[at], damping=damping), mean)
        squares.clear()  # room for the next part
        told(each * number, each * len(parts))
    return TRIED[int(unlikely.argmin())]


def _unlikely(factors: Factors, squares: torch.Tensor) -> float:
    """Minus twice the log likelihood of one weight's gradients, without what does not depend on the damping."""
    variance = factors.damped().double().cpu()
    if not variance.any():  # a weight that no passage of the sample touched
        return 0.0
    return float((variance.log() + squares / variance).sum())
