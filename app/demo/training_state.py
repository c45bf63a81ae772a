"""How far a pretraining is: what it counts, and, where it may be stopped, what it needs to go on at its last finished reading."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from app.files import whole

LOSS_CURVE_POINTS = 200


@dataclass
class TrainingState:
    """What a training has counted.

    Args:
        epochs: readings of the corpus that are finished. step, tokens: taken and read so far.
        curve: (step, mean loss since the point before). recent: losses since the last point.
    """

    epochs: int = 0
    step: int = 0
    tokens: int = 0
    curve: list[tuple[int, float]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)

    def count(self, loss: float, tokens: int, total: int) -> None:
        """One step of `total` is taken."""
        self.step += 1
        self.tokens += tokens
        self.recent.append(loss)
        if self.step in (1, total) or self.step % max(1, total // LOSS_CURVE_POINTS) == 0:
            self.curve.append((self.step, round(sum(self.recent) / len(self.recent), 4)))
            self.recent = []


def gone_on(
    file: Path | None, model: torch.nn.Module, optimizer: Optimizer, shuffler: torch.Generator
) -> TrainingState:
    """Where the training that kept this file was; model, optimizer and order are then as they were. Else its beginning."""
    if file is None or not file.is_file():
        return TrainingState()
    kept: dict[str, Any] = torch.load(file, weights_only=True)
    model.load_state_dict(kept["model"])
    optimizer.load_state_dict(kept["optimizer"])
    shuffler.set_state(kept["shuffler"])
    return TrainingState(**kept["counted"])


def keep(
    file: Path | None,
    state: TrainingState,
    model: torch.nn.Module,
    optimizer: Optimizer,
    shuffler: torch.Generator,
) -> None:
    """After a reading of the corpus, to go on from there."""
    if file is None:
        return
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "shuffler": shuffler.get_state(),
        "counted": vars(state),
    }
    with whole(file) as partial:
        torch.save(content, partial)
