"""Batches of like length under a token budget, so that next to nothing is padding."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from app.models.examples import TrainingExample, rows_of
from app.models.hands import Done, Hands, Made, Work, unheard
from app.models.load import LoadedModel

ROOM = 512 << 20
"""Bytes that what a pass keeps for its backward may take on a processor, where the weights take less."""


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


def in_batches(
    who: Hands[LoadedModel],
    work: Work[LoadedModel, Made],
    examples: Sequence[TrainingExample],
    budget: int,
    done: Done = unheard,
) -> Iterator[tuple[list[int], Made]]:
    """Rows of each of `length_batches`, and what comes of these, a batch a piece: the batches are the same whoever computes.

    Args:
        work: of examples; it takes them in batches of no fewer tokens.
        done: called with the number of examples finished.
    """
    batches = length_batches([one.size for one in examples], budget)
    made = who.each(work, ([examples[row] for row in batch] for batch in batches), done)
    return zip(batches, made, strict=True)


def tokens_in_room(loaded: LoadedModel, asked: int) -> int:
    """Tokens of one forward and backward pass: as asked, and on a processor so few that they take no more than the weights.

    What is kept of a token are the inputs and outputs of the weights; a quarter is added for what lies between them.
    """
    if loaded.device.type != "cpu":
        return asked
    held = sum(value.numel() * value.element_size() for value in loaded.model.parameters())
    wide = sum(weight.in_features + weight.out_features for weight in loaded.weights)
    each = 5 * wide * torch.empty(0, dtype=loaded.dtype).element_size() // 4
    return max(1, min(asked, max(held, ROOM) // max(1, each)))


def pad(examples: Sequence[TrainingExample], device: torch.device) -> torch.Tensor:
    """Token ids (rows, longest), padded with 0 on the right, where causal attention never looks.

    A row for each example; where any is a pair, two for each, side by side (`app.models.examples.rows_of`).
    """
    rows = [row for row, _ in rows_of(examples)]
    longest = max(len(row.ids) for row in rows)
    return torch.tensor([[*row.ids, *(0,) * (longest - len(row.ids))] for row in rows], device=device)


class Predicted(NamedTuple):
    """The loss tokens of a batch.

    Args:
        rows: where each is predicted, as a flat index into (rows · longest). labels: their ids.
        signs: 1 where the loss counts, -1 where it is subtracted; None where no example is a pair.
    """

    rows: torch.Tensor
    labels: torch.Tensor
    signs: torch.Tensor | None


def predicting(examples: Sequence[TrainingExample], device: torch.device) -> Predicted:
    """The loss tokens of a batch that is padded by `pad`, example by example."""
    rows = rows_of(examples)
    longest = max(len(row.ids) for row, _ in rows)
    places = [at * longest + place - 1 for at, (row, _) in enumerate(rows) for place in row.targets]
    labels = [row.ids[place] for row, _ in rows for place in row.targets]
    signs = [sign for row, sign in rows for _ in row.targets] if len(rows) > len(examples) else None
    return Predicted(
        torch.tensor(places, device=device),
        torch.tensor(labels, device=device),
        torch.tensor(signs, device=device) if signs else None,
    )
