"""A long example's activations are computed again rather than kept: the same gradients, bit for bit, in less memory."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from app.curvature.factors import Covariances
from app.curvature.influence import whole_gradient
from app.models import recomputing
from app.models.capture import Capture
from app.models.load import LoadedModel, load_model
from tests.support.tiny import TEXTS, save_model


@pytest.fixture(params=["llama", "gpt2", "neox", "gemma", "olmo", "neo"])
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> LoadedModel:
    """GPT-2 would drop a tenth of its activations in training."""
    return load_model(save_model(tmp_path / "model", request.param, steps=2), device="cpu")


class _Kept:
    """What autograd keeps for the backward pass of a batch, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0

    def __enter__(self) -> "_Kept":
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._noted, lambda kept: kept)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)

    def _noted(self, tensor: torch.Tensor) -> torch.Tensor:
        self.bytes += tensor.nbytes
        return tensor


class _Nothing:
    """A sink that takes nothing."""

    def begin(self, examples: int) -> None: ...

    def forward(self, at: int, x: torch.Tensor) -> torch.Tensor:
        return x.new_empty(0)

    def backward(self, at: int, kept: torch.Tensor, gradient: torch.Tensor) -> None: ...


def test_gradients_of_a_long_example_are_the_same(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passage = loaded.texts.passages(TEXTS[4:5])[0]
    kept = whole_gradient(Capture(loaded), passage)
    monkeypatch.setattr(recomputing, "LONG", 4)
    again = whole_gradient(Capture(loaded), passage)
    assert all(map(torch.equal, kept, again))
    switches = [
        each.training
        for each in loaded.model.modules()
        if isinstance(each, (GradientCheckpointingLayer, nn.Dropout))
    ]
    assert not any(switches), "everything is as it was"


def test_what_is_summed_on_the_way_is_summed_once(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EK-FAC's factors add up inputs as they come by, and they come by twice."""

    def summed() -> list[torch.Tensor]:
        sink = Covariances(loaded.weights, range(len(loaded.weights)), loaded.device)
        batch = loaded.texts.passages(TEXTS[:3])
        sink.expect(batch)
        Capture(loaded).run(batch, sink)
        return [*sink.inputs.values(), *sink.gradients.values()]

    kept = summed()
    monkeypatch.setattr(recomputing, "LONG", 4)
    assert all(map(torch.equal, kept, summed()))


def test_less_is_kept(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two blocks keep only what they were given; of many the saving is greater."""
    capture, passage = Capture(loaded), loaded.texts.passages(TEXTS[4:5])[0]
    with _Kept() as whole:
        capture.run([passage], _Nothing())
    monkeypatch.setattr(recomputing, "LONG", 4)
    with _Kept() as part:
        capture.run([passage], _Nothing())
    assert part.bytes < whole.bytes
