"""A sample of passages once through the model, for sinks that add something up."""

from collections.abc import Callable, Sequence

import torch

from app.models.batching import length_batches, tokens_in_room
from app.models.capture import Capture, Sink
from app.models.examples import TrainingExample

BATCH_TOKENS = 2048
LABELS = ("model", "text")
"""Gradients are of tokens drawn from the model (the Fisher matrix), or of those that stand there (the empirical one)."""


def usable(sample: Sequence[TrainingExample]) -> list[TrainingExample]:
    """The sequences of the passages that have a loss token."""
    return [each for one in sample for each in one.sequences if each.targets]


def passed(
    capture: Capture,
    sample: Sequence[TrainingExample],
    sink: Sink,
    labels: str,
    seed: int,
    went: Callable[[int], None],
    before: Callable[[Sequence[TrainingExample]], None] = lambda batch: None,
) -> None:
    """The whole sample once; every pass with the same seed draws the same labels.

    Args:
        labels: one of `LABELS`. before: called with each batch before it is run. went: after it, with its number of passages.
    """
    draw = torch.Generator().manual_seed(seed) if labels == "model" else None
    tokens = tokens_in_room(capture.loaded, BATCH_TOKENS)
    for rows in length_batches([len(one.ids) for one in sample], tokens):
        batch = [sample[row] for row in rows]
        before(batch)
        capture.run(batch, sink, draw)
        went(len(batch))
