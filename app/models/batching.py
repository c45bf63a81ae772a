"""Batches of like length under a token budget, so that next to nothing is padding."""

from collections.abc import Sequence

import torch

from app.models.text import TrainingExample


def length_batches(lengths: Sequence[int], budget: int, *, alike: float = 0.0) -> list[list[int]]:
    """Rows grouped so that rows × longest ≤ `budget` tokens; longest first, so that memory peaks at once.

    Rows of length 0 are left out; a row longer than the budget stands alone. Depends on the lengths only.

    Args:
        alike: no row is shorter than this share of its batch's longest.
    """
    order = sorted(
        (row for row, length in enumerate(lengths) if length), key=lambda row: (-lengths[row], row)
    )
    batches: list[list[int]] = []
    for row in order:
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= budget and lengths[row] >= alike * longest:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def pad(examples: Sequence[TrainingExample], device: torch.device) -> torch.Tensor:
    """Token ids (n, longest), padded with 0 on the right, where causal attention never looks."""
    longest = max(len(example.ids) for example in examples)
    return torch.tensor([[*e.ids, *(0,) * (longest - len(e.ids))] for e in examples], device=device)


def predicting(
    examples: Sequence[TrainingExample], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each loss token is predicted, as a flat index into (n · longest), and the token's id."""
    longest = max(len(example.ids) for example in examples)
    rows = [row * longest + place - 1 for row, e in enumerate(examples) for place in e.targets]
    labels = [e.ids[place] for e in examples for place in e.targets]
    return torch.tensor(rows, device=device), torch.tensor(labels, device=device)
