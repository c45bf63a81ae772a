"""A passage's influence on itself under EK-FAC, against whole gradients solved one by one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.curvature.factors import Factors
from app.curvature.fit import fit_curvature
from app.curvature.own import own_influences
from app.models.capture import Capture
from app.models.load import LoadedModel
from tests.support import tiny
from tests.support.reference import example_gradients


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_it_is_the_gradient_times_what_newton_makes_of_it(
    load: Callable[..., LoadedModel], kind: str, tmp_path: Path
) -> None:
    """Batches, padding and weights stored the other way round change nothing; a blank passage has none."""
    loaded = load(kind, dtype=torch.float64)
    passages = loaded.texts.passages([*tiny.TEXTS[:4], ""])
    fitted = fit_curvature(loaded, passages, tmp_path / "ekfac", labels="text")
    factors = {name: replace(each, damping=0.2) for name, each in fitted.items()}
    seen: list[int] = []
    ours = own_influences(Capture(loaded), factors, passages, done=seen.append)
    for passage, mine in zip(passages[:-1], ours, strict=False):
        gradients = example_gradients(loaded, passage)
        expected = 0.0
        for weight in loaded.weights:
            own = weight.oriented(gradients[weight.name])
            one = factors[weight.name]
            wide = Factors(one.left.double(), one.right.double(), one.curvature.double(), 0.2)
            expected += float((own * wide.solve(own)).sum())
        assert float(mine) == pytest.approx(expected, rel=1e-6)
    assert float(ours[-1]) == 0.0
    assert sum(seen) == len(passages) - 1
