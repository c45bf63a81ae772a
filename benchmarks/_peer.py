"""bergson, the peer, as the benchmark runs it; nothing of ours depends on it."""

from collections.abc import Callable, Sequence

import torch

from app.trackstar.text import Example


def bergson_encoder(
    model: torch.nn.Module, p: int, batch: int
) -> Callable[[Sequence[Example]], object] | None:
    return None
