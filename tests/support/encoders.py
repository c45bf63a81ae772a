"""Encoders of tiny models, fitted as an index would fit them."""

from collections.abc import Sequence
from typing import Any

from app.models.load import LoadedModel
from app.trackstar.config import EncodingConfig
from app.trackstar.encode import Encoder
from app.trackstar.hessian import Autocorrelation, fit_whitening
from app.trackstar.moments import load_moments
from tests.support import tiny


def encoder_of(
    loaded: LoadedModel, method: EncodingConfig, texts: Sequence[str] = tiny.MANY, **options: Any
) -> Encoder:
    """An encoder whose R is fitted on `texts`."""
    moments = load_moments(loaded, method.second_moments)
    plain = Encoder(
        loaded, moments, EncodingConfig.from_dict({**method.as_dict(), "hessian": "none"}), None, **options
    )
    if method.hessian == "none":
        return plain
    train = Autocorrelation(method.blocks, method.block_size)
    train.add(plain.gradients(loaded.texts.passages(texts)))
    whitening = fit_whitening(train, None, mixing=None, rank=1, damping=method.damping)
    return Encoder(loaded, moments, method, whitening, **options)
