"""Encoder: texts in, TrackStar encodings out (Chang et al. 2024, eq. 2 and 4).

Ĝ = G / ‖G‖,   G(z) = R^(-1/2) P_d (∇L(z) / √V)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from app.errors import UserError
from app.models.batching import length_batches, tokens_in_room
from app.models.capture import Capture
from app.models.contrast import difference, shares
from app.models.examples import TrainingExample
from app.models.hands import Done
from app.models.load import LoadedModel
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.hessian import Whitening
from app.trackstar.moments import Moments
from app.trackstar.projected_gradients import ProjectedGradients
from app.trackstar.projection import project_weights
from app.words.roles import Lesson

__all__ = ["Encoder", "Query"]

BATCH_TOKENS = 2048


class Encoder:
    """Encodes passages and queries by one method with one model. Nothing changes after construction.

    Args:
        moments: V, where the method divides by it.
        whitening: R^(-1/2), where the method has a Hessian. It comes before the unit norm, on both sides.
        batch_tokens: tokens of one forward and backward pass at most, padding included; see `tokens_in_room`.

    Raises:
        UserError: the method needs moments or a whitening that is not given, or does not fit the model.
    """

    def __init__(
        self,
        model: LoadedModel,
        moments: Moments | None,
        method: EncodingConfig,
        whitening: Whitening | None,
        *,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        if (moments is None) != (method.second_moments == "none"):
            raise UserError("The method and the second moments given do not agree.", field="second_moments")
        if (whitening is None) != (method.hessian == "none"):
            raise UserError("The method and the Hessian given do not agree.", field="hessian")
        self.model = model
        self.method = method
        self.moments = moments
        self.whitening = whitening
        self.batch_tokens = tokens_in_room(model, batch_tokens)
        self.dimension = method.dimension
        self.projected = project_weights(
            model.weights, method, moments, device=model.device, dtype=model.dtype
        )
        self.capture = Capture(model, method.loss)
        self._sink = ProjectedGradients(self.projected, self.capture.first_readers, method.blocks)

    def encode_passages(self, passages: Sequence[Lesson]) -> np.ndarray:
        """(n, d) float32, in the order given; a blank one is a zero row."""
        return self.finish(self.gradients(self.model.texts.passages(passages)))

    def encode_queries(self, queries: Sequence[Query]) -> np.ndarray:
        """(n, d) float32, in the order given; the loss is over the completion, or the span of it.

        Raises:
            UserError: a query cannot be traced (see `Texts.query`).
        """
        texts = self.model.texts
        return self.finish(self.gradients([texts.query(query) for query in queries]))

    def encode_against(self, queries: Sequence[Query], others: Sequence[Query | None]) -> np.ndarray:
        """(n, d) float32: what makes each query's completion likelier than the other's; alone where there is none.

        Raises:
            UserError: a query cannot be traced (see `Texts.query`).
        """
        read = self.model.texts.query
        return self.finish(
            self.against(
                [read(query) for query in queries], [read(other) if other else None for other in others]
            )
        )

    def against(
        self, examples: Sequence[TrainingExample], others: Sequence[TrainingExample | None]
    ) -> torch.Tensor:
        """As `gradients`; where there is another, the gradient of p(other) - p(example), see `app.models.contrast`."""
        gradients = self.gradients(examples)
        pairs = [(row, other) for row, other in enumerate(others) if other is not None]
        if pairs:
            rows = [row for row, _ in pairs]
            those = [other for _, other in pairs]
            counted = shares(self.model, [examples[row] for row in rows], those)
            gradients[rows] = difference(gradients[rows], self.gradients(those), counted)
        return gradients

    def gradients(
        self, examples: Sequence[TrainingExample], *, done: Callable[[int], None] | None = None
    ) -> torch.Tensor:
        """P_d(∇L / √V) of each example, not whitened: (n, d) float32 (float64 for a float64 model).

        Args:
            done: called after each batch with the number of its examples.
        """
        out = torch.zeros(len(examples), self.dimension, dtype=self._sink.wide)
        for batch in length_batches([example.size for example in examples], self.batch_tokens):
            self.capture.run([examples[row] for row in batch], self._sink)
            out[batch] = self._sink.blocks.flatten(1).cpu()
            if done:
                done(len(batch))
        return out

    def whiten(self, gradients: torch.Tensor) -> torch.Tensor:
        """R^(-1/2) applied block by block, (n, d); the gradients themselves where the method has no R."""
        return _whitened(gradients, self.whitening)

    def finish(self, gradients: torch.Tensor) -> np.ndarray:
        """See `finished`."""
        return finished(gradients, self.method, self.whitening)


def finished(gradients: torch.Tensor, method: EncodingConfig, whitening: Whitening | None) -> np.ndarray:
    """Encodings (n, d) float32 of projected gradients: whitened, then divided by the length if the method does.

    Zero and non-finite rows become zero.
    """
    rows = _whitened(gradients, whitening)
    rows = torch.where(rows.isfinite().all(1, keepdim=True), rows, 0.0)
    if method.unit_norm:
        length = torch.linalg.vector_norm(rows.double(), dim=1, keepdim=True)
        rows = torch.where(length > 0, rows / length.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    return rows.float().numpy()


def _whitened(gradients: torch.Tensor, whitening: Whitening | None) -> torch.Tensor:
    return whitening.apply(gradients) if whitening else gradients


@dataclass(frozen=True)
class ProjectedRows:
    """Projected gradients of examples, not whitened; see `Encoder.gradients` and `app.models.hands.Work`."""

    moments: Moments | None
    method: EncodingConfig
    batch_tokens: int

    def begin(self, loaded: LoadedModel) -> Callable[[Sequence[TrainingExample], Done], np.ndarray]:
        """See `app.models.hands.Work.begin`."""
        encoder = Encoder(loaded, self.moments, self.method, None, batch_tokens=self.batch_tokens)
        return lambda examples, done: encoder.gradients(examples, done=done).numpy()


@dataclass(frozen=True)
class EncodedPassages:
    """What comes of some passages.

    Args:
        rows: (n, d) float32. empty: blank passages. cut: longer than the context.
    """

    rows: np.ndarray
    empty: int
    cut: int


def counted(rows: np.ndarray, examples: Sequence[TrainingExample]) -> EncodedPassages:
    """Rows of passages with what there is to tell of them."""
    empty = sum(not example.targets for example in examples)
    return EncodedPassages(rows, empty, sum(example.cut for example in examples))


@dataclass(frozen=True)
class PassageRows:
    """Encodings of passages; see `app.models.hands.Work`."""

    moments: Moments | None
    method: EncodingConfig
    whitening: Whitening | None
    batch_tokens: int

    def begin(self, loaded: LoadedModel) -> Callable[[Sequence[Lesson], Done], EncodedPassages]:
        """See `app.models.hands.Work.begin`."""
        encoder = Encoder(loaded, self.moments, self.method, self.whitening, batch_tokens=self.batch_tokens)

        def rows(passages: Sequence[Lesson], done: Done) -> EncodedPassages:
            examples = loaded.texts.passages(passages)
            made = counted(encoder.finish(encoder.gradients(examples, done=done)), examples)
            done(made.empty)  # blank ones are in no batch
            return made

        return rows
