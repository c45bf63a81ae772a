"""How the loss's head cuts its logits changes time and memory, and nothing else."""

from collections.abc import Callable

import pytest
import torch

from app.models import loss_head
from app.models.batching import pad, predicting
from app.models.load import LoadedModel
from app.models.loss_head import LossHead, tokens_at_once
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
