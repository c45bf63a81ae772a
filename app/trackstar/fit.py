"""Fits what all encodings of an index share, V and R^(-1/2), on a random sample, and keeps it in a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from app.files import whole
from app.models.examples import TrainingExample
from app.models.hands import Hands
from app.models.load import LoadedModel
from app.models.optimizer_state import has_optimizer
from app.models.text import Query
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import ProjectedRows
from app.trackstar.estimate import estimate_moments
from app.trackstar.hessian import Autocorrelation, HessianReport, Whitening, fit_whitening
from app.trackstar.moments import Exact, Factored, Moments, load_moments
from app.trackstar.parts import Parts, cut
from app.words.roles import Lesson

FILE = "trackstar.safetensors"
SAMPLE = "R"  # the name of R_train's parts
SCALED = 512
"""Examples of the sample that float16's scale is found from."""


@dataclass(frozen=True)
class Fit:
    """V, R^(-1/2) and the float16 scale of an index."""

    moments: Moments | None
    whitening: Whitening | None
    row_scale: float


def fit_moments(
    loaded: LoadedModel,
    method: EncodingConfig,
    sample: Sequence[Lesson],
    *,
    estimate: bool,
    hands: Hands[LoadedModel],
    parts: Parts,
    done: Callable[[int], None],
) -> Moments | None:
    """V from the optimizer's state, or estimated from the sample where there is none or it is asked for.

    Args:
        hands: who computes. parts: keeps what is summed. done: called with the number of passages finished.

    Raises:
        UserError: the state does not fit the model; or exact moments are asked for and there is no state.
    """
    if method.second_moments == "none":
        return None
    if not estimates(loaded, method, estimate):
        return load_moments(loaded, method.second_moments)
    return estimate_moments(
        loaded, sample, exact=method.second_moments == "exact", hands=hands, parts=parts, done=done
    )


def estimates(loaded: LoadedModel, method: EncodingConfig, asked: bool) -> bool:
    """Whether V is estimated from the sample: where it is asked for, or no state was saved with the model."""
    return method.second_moments != "none" and (asked or not has_optimizer(loaded.path))


def fit(
    loaded: LoadedModel,
    method: EncodingConfig,
    moments: Moments | None,
    sample: Sequence[Lesson],
    queries: Sequence[Query],
    *,
    batch_tokens: int,
    hands: Hands[LoadedModel],
    parts: Parts,
    done: Callable[[int], None],
) -> Fit:
    """R^(-1/2) from the sample's projected gradients, mixed with the queries' where the method says so.

    Args:
        sample: passages drawn at random from the corpus.
        queries: of the task, for R_eval.
        hands: who computes.
        parts: keeps the projected gradients that R is made of, so that they can be gone on with.
        done: called with the number of examples finished, part by part.
    """
    summing = _Summing(hands, ProjectedRows(moments, without_hessian(method), batch_tokens), parts, done)
    whitening = None
    examples = loaded.texts.passages(sample)
    if method.hessian != "none":
        evaluation = None
        if method.hessian == "mixed":
            asked = [loaded.texts.query(query) for query in queries]
            evaluation = summing.autocorrelation(asked, "R-task")
        whitening = fit_whitening(
            summing.autocorrelation(examples, SAMPLE),
            evaluation,
            mixing=method.mixing,
            rank=method.rank,
            damping=method.damping,
        )
    scale = 1.0 if method.unit_norm else summing.row_scale(whitening, examples[:SCALED])
    return Fit(moments, whitening, scale)


def save_fit(fitted: Fit, file: Path) -> None:
    """Writes V's factors and R^(-1/2). An exact V stays with the optimizer's state it came from."""
    tensors = {}
    for name, value in (fitted.moments.values if fitted.moments else {}).items():
        if isinstance(value, Factored):
            tensors[f"V.{name}.row"] = value.row.float().cpu().contiguous()
            tensors[f"V.{name}.col"] = value.col.float().cpu().contiguous()
    if fitted.whitening:
        tensors["R_inverse_root"] = fitted.whitening.matrices.contiguous()
    with whole(file) as partial:
        save_file(tensors, partial)


def load_fit(
    file: Path,
    loaded: LoadedModel,
    method: EncodingConfig,
    source: str,
    report: HessianReport | None,
    row_scale: float,
) -> Fit:
    """The inverse of `save_fit`; `source`, `report` and `row_scale` come from the manifest."""
    tensors = load_file(file)
    moments = None
    if method.second_moments != "none":
        rows = {
            key[2:-4]: tensor
            for key, tensor in tensors.items()
            if key.startswith("V.") and key.endswith(".row")
        }
        values = {name: Factored(row, tensors[f"V.{name}.col"]) for name, row in rows.items()}
        moments = Moments(values, source) if values else load_moments(loaded, method.second_moments)
    whitening = Whitening(tensors["R_inverse_root"], report) if report else None
    return Fit(moments, whitening, row_scale)


def is_exact(moments: Moments | None) -> bool:
    """Whether any weight's V is kept entry by entry."""
    return moments is not None and any(isinstance(value, Exact) for value in moments.values.values())


def without_hessian(method: EncodingConfig) -> EncodingConfig:
    """The method whose encodings are projected gradients that are not whitened."""
    return EncodingConfig.from_dict({**method.as_dict(), "hessian": "none", "mixing": None})


def known_gradients(
    parts: Parts, examples: Sequence[TrainingExample], batch_tokens: int, start: int, stop: int
) -> np.ndarray | None:
    """Projected gradients (stop - start, d) of some of the sample's passages, as they were made to fit R; None if not.

    Args:
        examples: the whole sample.
    """
    order = cut([len(example.ids) for example in examples], batch_tokens)
    return parts.take(SAMPLE, order, start, stop)


@dataclass(frozen=True)
class _Summing:
    """Projected gradients of a sample, made by whoever computes and added up here, in the order of the parts."""

    hands: Hands[LoadedModel]
    work: ProjectedRows
    parts: Parts
    done: Callable[[int], None]

    def autocorrelation(self, examples: Sequence[TrainingExample], name: str) -> Autocorrelation:
        method = self.work.method
        summed = Autocorrelation(method.blocks, method.block_size)
        order = cut([len(example.ids) for example in examples], self.work.batch_tokens)
        for rows in self.parts.each(
            name,
            order,
            lambda wanted: self.hands.each(self.work, ([examples[row] for row in part] for part in wanted)),
            self.done,
        ):
            summed.add(torch.from_numpy(rows))
        return summed

    def row_scale(self, whitening: Whitening | None, examples: Sequence[TrainingExample]) -> float:
        """The power of two that brings the median row's largest entry near 1."""
        rows = torch.from_numpy(next(self.hands.each(self.work, [examples])))
        self.done(len(examples))
        largest = (whitening.apply(rows) if whitening else rows).abs().amax(1)
        usable = largest[(largest > 0) & largest.isfinite()]
        return float(2.0 ** -torch.log2(usable.median()).round()) if len(usable) else 1.0
