"""The second of two stages: what a first stage found is put in the order of its exact influence.

    projected rows find candidates  ->  ∇L_m · (H + damping)⁻¹ ∇L_q decides their order

No projection, so neither a seed nor the size of the encodings decides. Of passages that are no candidates nothing is
claimed; how many of them would have been first is the first stage's recall, measured once for an index and kept beside
its factors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from app.curvature.factors import Factors
from app.curvature.fit import read_curvature
from app.curvature.influence import influences, preconditioned
from app.curvature.place import FACTORS, manifest_of
from app.digests import file_sha256
from app.errors import UserError
from app.models.capture import Capture
from app.models.contrast import difference, shares
from app.models.examples import TrainingExample
from app.models.hands import Done
from app.models.load import LoadedModel

CANDIDATES = 100


class Deciding:
    """EK-FAC's factors of a loaded model, ready to put candidates in order."""

    def __init__(self, loaded: LoadedModel, factors: Mapping[str, Factors]) -> None:
        self.capture = Capture(loaded)
        self.factors = factors
        self.damping = next(iter(factors.values())).damping

    def direction(self, this: TrainingExample, that: TrainingExample | None = None) -> list[torch.Tensor]:
        """What a passage's gradient is multiplied with, (out, in) for each weight; with `that`, of the difference."""
        alone = preconditioned(self.capture, self.factors, this)
        if that is None:
            return alone
        counted = shares(self.capture.loaded, [this], [that])
        return [
            difference(one[None], against[None], counted)[0]
            for one, against in zip(alone, preconditioned(self.capture, self.factors, that), strict=True)
        ]

    def order(
        self,
        direction: Sequence[torch.Tensor],
        passages: Sequence[TrainingExample],
        rows: np.ndarray,
        k: int,
        *,
        opponents: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Influence and row of the `k` first of the candidates, ties by row.

        Args:
            passages: of the candidates, in the order of their `rows`.
            opponents: those first whose influence is most negative.
        """
        scores = influences(self.capture, direction, passages).numpy()
        best = np.lexsort((rows, scores if opponents else -scores))[:k]
        return scores[best], rows[best]


def deciding_beside(index: Path, loaded: LoadedModel) -> Deciding | None:
    """With the factors that stand beside an index; None where none were fitted.

    Raises:
        UserError: they are another model's, damaged or not finished.
    """
    if not manifest_of(index).is_file():
        return None
    return Deciding(loaded, read_curvature(index / FACTORS, loaded))


@dataclass(frozen=True)
class Candidates:
    """What a first stage found for one question.

    Args:
        that: what it is asked against; None where it is asked alone.
        rows: (n,) of the passages, in the order of these.
    """

    this: TrainingExample
    that: TrainingExample | None
    rows: np.ndarray
    passages: Sequence[TrainingExample]


@dataclass(frozen=True)
class InOrder:
    """Influence and row of the `k` first of one question's candidates, a question a piece; see `app.models.hands.Work`.

    Args:
        index: its directory, absolute; the factors beside it are read on the machine that orders.
        sha256: of their manifest.
    """

    index: Path
    sha256: str
    k: int

    def begin(
        self, loaded: LoadedModel, /
    ) -> Callable[[Sequence[Candidates], Done], tuple[np.ndarray, np.ndarray]]:
        """See `app.models.hands.Work.begin`.

        Raises:
            UserError: there are no such factors at this place.
        """
        manifest = manifest_of(self.index)
        if not manifest.is_file() or file_sha256(manifest) != self.sha256:
            raise UserError(
                f"The EK-FAC factors beside the index {self.index} here are others than those that are worked with.",
                field="curvature",
                remedy="Put the same index at the same place on every machine.",
            )
        second = Deciding(loaded, read_curvature(self.index / FACTORS, loaded))

        def order(piece: Sequence[Candidates], done: Done) -> tuple[np.ndarray, np.ndarray]:
            (one,) = piece
            return second.order(second.direction(one.this, one.that), one.passages, one.rows, self.k)

        return order
