"""Activations of a long example are computed again in the backward pass, a block at a time, and not kept (Chen et al. 2016,
arXiv 1604.06174): memory then grows by one block's activations and each block's input, for a third more work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

LONG = 2_048
"""Tokens of a batch beyond which activations are not kept: batches of several examples have no more."""


@contextmanager
def recomputing(model: Any, tokens: int) -> Iterator[None]:
    """While it lasts, the model's blocks keep no activations of a batch of more than `LONG` tokens.

    Blocks are told so by transformers' own switch, which asks whether a block is in training: only the block itself is
    said to be, all inside it is as before, so nothing is dropped and the numbers are the same bit for bit. Models whose
    blocks have no such switch keep theirs.
    """
    modules = model.modules() if tokens > LONG else ()
    blocks = [each for each in modules if isinstance(each, GradientCheckpointingLayer)]
    for block in blocks:
        block.gradient_checkpointing = block.training = True
        block._gradient_checkpointing_func = partial(
            checkpoint, use_reentrant=False, preserve_rng_state=False
        )
    try:
        yield
    finally:
        for block in blocks:
            block.gradient_checkpointing = block.training = False
            del block._gradient_checkpointing_func
