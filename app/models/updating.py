"""What a step does to a model's answers: for many passages in one batch, or one passage after another.

Both take an `Update` (which optimizer, from which state, at which rate) and answer the same question, to float
tolerance. The batch is the way; the other is for models whose passages cannot be told apart within one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch.func import functional_call

from app.models.batching import length_batches, pad, predicting
from app.models.estimated import mean_loss
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.loss_head import widened
from app.models.optimizers import Optimizer, Scaled
from app.models.stepped import Stepped, logits_after, step
from app.models.taps import PassageGradients

BATCH_TOKENS = 4096
ALIKE = 0.75  # products of every two tokens: padding costs its square


@dataclass(frozen=True)
class Update:
    """A step of an optimizer from a saved state.

    Args:
        moments, settings: by parameter name; parameters that are not named stay as they are.
        taken: steps before this one.
    """

    optimizer: Optimizer
    moments: Mapping[str, Mapping[str, torch.Tensor]]
    settings: Mapping[str, Mapping[str, Any]]
    taken: int
    rate: float

    def one(self, name: str, weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The parameter after the step."""
        return self.optimizer.stepped(
            widened(weight), widened(gradient), self.moments[name], self._settings(name), self.taken + 1
        )

    def scaled(
        self, name: str, weight: torch.Tensor, squares: tuple[torch.Tensor, torch.Tensor]
    ) -> Scaled | None:
        """The same for gradients that are not formed, see `Optimizer.scaled`."""
        return self.optimizer.scaled(
            widened(weight), squares, self.moments[name], self._settings(name), self.taken + 1
        )

    def _settings(self, name: str) -> dict[str, Any]:
        return {**self.settings[name], "lr": self.rate}


def moved(update: Update, device: torch.device) -> Update:
    """The same step with its tensors on a device."""
    moments = {
        name: {key: value.to(device) for key, value in held.items()} for name, held in update.moments.items()
    }
    return replace(update, moments=moments)


class Stepper(Protocol):
    """Answers what a model says after a step."""

    def after(
        self, update: Update, examples: Sequence[TrainingExample], asked: Sequence[Sequence[TrainingExample]]
    ) -> list[list[float]]:
        """For each example the log probability of each of its `asked` after a step on it, from the saved weights."""


@dataclass(frozen=True)
class Together:
    """Passages in batches; each model's answers are computed from changes, see `app.models.stepped`."""

    loaded: LoadedModel
    gradients: PassageGradients

    def after(
        self, update: Update, examples: Sequence[TrainingExample], asked: Sequence[Sequence[TrainingExample]]
    ) -> list[list[float]]:
        """See `Stepper.after`."""
        weights = {
            name: value.detach()
            for name, value in self.loaded.model.named_parameters()
            if name in update.moments
        }
        out: list[list[float]] = [[] for _ in examples]
        lengths = [example.size for example in examples]
        for batch in length_batches(lengths, self.gradients.tokens, alike=ALIKE):
            found = self.gradients.of([examples[at] for at in batch])
            stepped = step(weights, found, update.one, update.scaled)
            for at, values in zip(batch, self._answers(stepped, [asked[at] for at in batch]), strict=True):
                out[at] = values
        return out

    def _answers(self, stepped: Stepped, asked: Sequence[Sequence[TrainingExample]]) -> list[list[float]]:
        pairs = [(owner, example) for owner, own in enumerate(asked) for example in own]
        found = [0.0] * len(pairs)
        for batch in length_batches([len(example.ids) for _, example in pairs], self.gradients.tokens):
            rows = sorted(batch)  # rows of one passage side by side
            examples = [pairs[row][1] for row in rows]
            ids = pad(examples, self.loaded.device)
            owners = [pairs[row][0] for row in rows]
            logits = logits_after(self.loaded.model, self.gradients.taps, stepped, owners, ids)
            for row, value in zip(rows, joint_logp(logits, examples), strict=True):
                found[row] = value
        answers = iter(found)
        return [[next(answers) for _ in own] for own in asked]


@dataclass(frozen=True)
class Apart:
    """One passage after another: its gradients by autograd, then a model of new tensors, called and dropped."""

    loaded: LoadedModel

    def after(
        self, update: Update, examples: Sequence[TrainingExample], asked: Sequence[Sequence[TrainingExample]]
    ) -> list[list[float]]:
        """See `Stepper.after`."""
        return [
            logp_of(self.loaded, own, weights=self._step(update, example))
            for example, own in zip(examples, asked, strict=True)
        ]

    def _step(self, update: Update, example: TrainingExample) -> dict[str, torch.Tensor]:
        """All weights after one step on the example."""
        own = {name: parameter.detach() for name, parameter in self.loaded.model.named_parameters()}
        # Views of the model's own storage: nothing is copied, and only these record gradients.
        trained = {name: own[name].detach().requires_grad_() for name in own if name in update.moments}
        with torch.enable_grad():
            loss = mean_loss(self.loaded, {**own, **trained}, example)
            gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        with torch.no_grad():
            for name, gradient in zip(trained, gradients, strict=True):
                if gradient is not None:
                    own[name] = update.one(name, own[name], gradient)
        return own


@torch.no_grad()
def logp_of(
    loaded: LoadedModel,
    examples: Sequence[TrainingExample],
    *,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> list[float]:
    """Log probability of each example's loss tokens together, under the model's own or other weights."""
    out = [0.0] * len(examples)
    for batch in length_batches([len(example.ids) for example in examples], BATCH_TOKENS):
        own = [examples[row] for row in batch]
        inputs = {"input_ids": pad(own, loaded.device), "use_cache": False}
        logits = functional_call(loaded.model, dict(weights or {}), kwargs=inputs).logits
        for row, value in zip(batch, joint_logp(logits, own), strict=True):
            out[row] = value
    return out


def joint_logp(logits: torch.Tensor, examples: Sequence[TrainingExample]) -> list[float]:
    """Sum of the log probabilities of each example's loss tokens; none of them is a pair. Logits (rows, T, vocabulary)."""
    rows, labels, _ = predicting(examples, logits.device)
    chosen = logits.flatten(0, 1)[rows].double().log_softmax(-1).gather(1, labels[:, None])[:, 0].cpu()
    return [float(part.sum()) for part in chosen.split([len(example.targets) for example in examples])]
