"""How the loss's head cuts its logits changes time and memory, and nothing else."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

import pytest
import torch

from app.models import loss_head
from app.models.batching import pad, predicting
from app.models.load import LoadedModel
from app.models.loss_head import LossHead, tokens_at_once
from app.models.losses import Loss
from tests.support import tiny


@pytest.mark.parametrize("vocabulary", [300, 4_096, 32_000, 49_152, 128_256, 262_144, 1 << 26])
def test_chunks_follow_memory_not_a_constant(vocabulary: int) -> None:
    """A megabyte was 21 tokens of SmolLM2's vocabulary and 4 of Gemma's: the matrix was read anew for each handful."""
    tokens = tokens_at_once(vocabulary)
    assert tokens == 1 or tokens * vocabulary <= loss_head.MOST_LOGITS
    assert tokens >= min(loss_head.CHUNK_ROWS, loss_head.MOST_LOGITS // vocabulary)


def test_the_gradient_does_not_depend_on_them(
    load: Callable[..., LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load("llama")
    examples = loaded.texts.passages(tiny.TEXTS[:3])
    rows, labels, _ = predicting(examples, loaded.device)
    head = LossHead(loaded.model, "cross_entropy")
    _, whole = head.start(pad(examples, loaded.device), rows, labels)
    monkeypatch.setattr(loss_head, "tokens_at_once", lambda vocabulary: 5)
    _, cut = head.start(pad(examples, loaded.device), rows, labels)
    assert whole is not None
    assert cut is not None
    torch.testing.assert_close(cut, whole)


def log_p(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return logits.softmax(-1)[torch.arange(len(labels)), labels].log()


# By their definitions, one token at a time, without the ways around small differences that the head takes.
DEFINED: dict[Loss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross_entropy": lambda logits, labels: -log_p(logits, labels),
    "margin": lambda logits, labels: -(log_p(logits, labels) - (1 - log_p(logits, labels).exp()).log()),
    "logit": lambda logits, labels: -logits[torch.arange(len(labels)), labels],
}


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma"])
def test_every_output_function_is_differentiated_as_it_is_defined(
    load: Callable[..., LoadedModel], kind: str, loss: Loss
) -> None:
    """Gemma 2's logits are soft-capped, so that its head is differentiated through the model itself."""
    loaded = load(kind)
    model: Any = deepcopy(loaded.model).double()
    examples = loaded.texts.passages(tiny.TEXTS[:2])
    ids, (rows, labels, _) = pad(examples, loaded.device), predicting(examples, loaded.device)
    weight = next(each for name, each in model.named_parameters() if ".0." in name and each.dim() == 2)
    weight.requires_grad_()
    tensor, gradient = LossHead(model, loss).start(ids, rows, labels)
    (ours,) = torch.autograd.grad(tensor, weight, gradient)
    defined = DEFINED[loss](model(input_ids=ids).logits.flatten(0, 1)[rows], labels).sum()
    torch.testing.assert_close(ours, *torch.autograd.grad(defined, weight), rtol=1e-9, atol=1e-12)
