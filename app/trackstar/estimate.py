"""V estimated from passages, for checkpoints published without their optimizer's state.

r_i = E_z mean_j G_ij(z)²,   c_j = E_z mean_i G_ij(z)²,   G(z) = ∇L(z) of one passage
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.errors import UserError
from app.models.batching import length_batches, tokens_in_room
from app.models.capture import EXACT_CHUNK, Capture
from app.models.examples import TrainingExample
from app.models.hands import Done, Hands, own_hands, unheard
from app.models.load import LoadedModel
from app.models.weights import LinearWeight
from app.trackstar.moments import Factored, Moments
from app.trackstar.parts import Parts, cut
from app.words.roles import Lesson

BATCH_TOKENS = 2048


class _Squares:
    """The sink that sums squared per-example gradients by row and by column."""

    def __init__(self, weights: Sequence[LinearWeight], device: torch.device) -> None:
        self.rows = [torch.zeros(w.out_features, dtype=torch.float64, device=device) for w in weights]
        self.cols = [torch.zeros(w.in_features, dtype=torch.float64, device=device) for w in weights]

    @property
    def flat(self) -> np.ndarray:
        """All sums in one row, (1, all rows and columns) float64."""
        return torch.cat([*self.rows, *self.cols])[None].cpu().numpy()

    def begin(self, examples: int) -> None:
        """Sums go on from batch to batch."""

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        """The inputs themselves."""
        return x

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds the squares: of few tokens without the gradients themselves, else a few examples' gradients at a time."""
        tokens, inputs, outputs = kept.shape[-2], kept.shape[-1], gradient.shape[-1]
        if tokens * (inputs + outputs) < inputs * outputs:
            self.rows[at] += _squares(gradient, kept) / inputs
            self.cols[at] += _squares(kept, gradient) / outputs
            return
        step = max(1, EXACT_CHUNK // (kept.shape[-1] * gradient.shape[-1]))
        for start in range(0, len(kept), step):
            squares = torch.bmm(gradient[start : start + step].mT, kept[start : start + step]).square_()
            self.rows[at] += squares.mean(2, dtype=torch.float64).sum(0)
            self.cols[at] += squares.mean(1, dtype=torch.float64).sum(0)


def _squares(own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Sums of squares of ownᵀ · other over examples and columns, (n,) float64, from products of tokens with tokens.

    Σ_j (aᵀB)_j² = aᵀ(B Bᵀ)a for a row's inputs a, whose rounding may fall below nothing.

    Args:
        own: (examples, tokens, n). other: (examples, tokens, m).
    """
    exact = torch.promote_types(own.dtype, torch.float32)
    own, other = own.to(exact), other.to(exact)
    products = torch.bmm(torch.bmm(other, other.mT), own).mul_(own)
    return products.sum((0, 1), dtype=torch.float64).clamp_(min=0)


@dataclass(frozen=True)
class SquaredGradients:
    """The sums of squares of some examples' gradients, (1, all rows and columns) float64; see `app.models.hands.Work`."""

    batch_tokens: int = BATCH_TOKENS

    def begin(self, loaded: LoadedModel) -> Callable[[Sequence[TrainingExample], Done], np.ndarray]:
        """See `app.models.hands.Work.begin`."""
        capture, most = Capture(loaded), tokens_in_room(loaded, self.batch_tokens)

        def squares(examples: Sequence[TrainingExample], done: Done) -> np.ndarray:
            sums = _Squares(loaded.weights, loaded.device)
            own = [example for example in examples if example.targets]
            for batch in length_batches([example.size for example in own], most):
                capture.run([own[row] for row in batch], sums)
                done(len(batch))
            return sums.flat

        return squares


def estimate_moments(
    loaded: LoadedModel,
    sample: Sequence[Lesson],
    *,
    exact: bool = False,
    hands: Hands[LoadedModel] | None = None,
    parts: Parts | None = None,
    done: Done = unheard,
) -> Moments:
    """Factored V from the gradients of single passages.

    Args:
        hands: who computes; None: this process.
        parts: keeps what is summed, so that it can be gone on with.
        done: called with the number of passages finished.

    Raises:
        UserError: exact moments are asked for (they need an optimizer's state), or no passage has a gradient.
    """
    if exact:
        raise UserError(
            "Exact second moments need an AdamW optimizer's state; they are not estimated.",
            field="second_moments",
            remedy="Put optimizer.pt beside the weights, or use factored second moments.",
        )
    examples = loaded.texts.passages(sample)
    used = sum(bool(example.targets) for example in examples)
    if not used:
        raise UserError("No passage of the sample has text.", remedy="Check the corpus.")

    order = cut([len(example.ids) for example in examples], BATCH_TOKENS)
    who, work = hands or own_hands(loaded), SquaredGradients()
    made = (parts or Parts()).each(
        "V", order, lambda wanted: who.each(work, ([examples[row] for row in part] for part in wanted)), done
    )
    total = sum(made, np.zeros(1))  # in the order of the parts, whoever made them
    means = torch.from_numpy(total[0] / used).float()
    sizes = [w.out_features for w in loaded.weights] + [w.in_features for w in loaded.weights]
    split = means.split(sizes)
    values = {
        weight.name: Factored(row.clone(), col.clone())
        for weight, row, col in zip(
            loaded.weights, split[: len(loaded.weights)], split[len(loaded.weights) :], strict=True
        )
    }
    return Moments(values, f"estimated from {used} passages, row and column factors")
