"""Batches of like length: on short passages, padding would cost more than the passages themselves."""

from collections.abc import Sequence

import torch


def length_batches(lengths: Sequence[int], size: int, shuffler: torch.Generator) -> list[list[int]]:
    """Rows in batches of like length, in random order, so that next to nothing is padding.

    Each call deals anew: a little noise on the lengths changes who shares a batch with whom.
    """
    noise = torch.rand(len(lengths), generator=shuffler).tolist()
    order = sorted(range(len(lengths)), key=lambda row: lengths[row] + noise[row])
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[place] for place in torch.randperm(len(batches), generator=shuffler).tolist()]
