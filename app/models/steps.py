"""Tail-patch: does one training step on a passage make the target more likely? (TrackStar §5.2, Chang et al. 2024)

From the saved weights and the optimizer's saved state, one step at the final learning rate on one passage (mean
cross-entropy of its tokens, as in training); the answer is the change of the target's probability in percentage
points. Stepped weights are new tensors the model is called with; its own are never written to.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.func import functional_call

from app.errors import UserError
from app.models.batching import length_batches, pad, predicting
from app.models.estimated import choose_rate, estimated_state, mean_loss, sample_of
from app.models.load import LoadedModel
from app.models.optimizer_state import has_optimizer, read_optimizer
from app.models.text import Query, TrainingExample
from app.models.updates import lacking, stepped

BATCH_TOKENS = 4096
TRIED = 4  # passages stepped on to choose a learning rate, and as many to see that it leaves them alone


class TailPatch:
    """Measures passages against queries for one model and its optimizer.

    Args:
        learning_rate: of the step; None takes the one the optimizer ended with, or chooses by rule where the state
            is estimated.
        sample: passages to estimate the optimizer's state from where none was saved, see `app.models.estimated`.

    Raises:
        UserError: there is neither a state nor a sample, the state does not fit, or it ended with a learning rate of zero.
    """

    def __init__(
        self, model: LoadedModel, *, learning_rate: float | None = None, sample: Sequence[str] = ()
    ) -> None:
        self.model = model
        self.sample = sample_of(model, sample) if sample and not has_optimizer(model.path) else []
        if self.sample:
            self.state = estimated_state(model, self.sample)
        else:
            self.state = read_optimizer(model.path, model.model)
        named = dict(model.model.named_parameters())
        self.names = [name for name in named if name in self.state.entries]
        if not self.names:
            raise UserError(
                "The optimizer's state has none of the model's parameters.",
                file=self.state.file,
                remedy="Give the state that was saved with these weights.",
            )
        for name in self.names:
            missing = lacking(named[name], self.state.entries[name], self.state.settings[name])
            if missing:
                raise UserError(
                    f"The optimizer's state of {name} has no {', '.join(sorted(missing))}: no step can be taken from it.",
                    file=self.state.file,
                    field=name,
                    remedy="Give the whole state that was saved with these weights.",
                )
        self.moments = {
            name: {key: value.to(model.device) for key, value in self.state.entries[name].items()}
            for name in self.names
        }
        self.chosen = learning_rate is None and bool(self.sample)
        if learning_rate is not None:
            self.rate = learning_rate
        else:
            self.rate = choose_rate(self._teaches) if self.chosen else self._final_rate()

    @property
    def settings(self) -> dict[str, Any]:
        """What must be printed beside every tail-patch: optimizer, learning rate, steps."""
        said: dict[str, Any] = {
            "optimizer": self.state.optimizer,
            "learning_rate": self.rate,
            "steps": 1,
            "trained_steps": self.state.step,
            "loss": "mean cross-entropy over the passage's tokens",
        }
        if self.sample:
            said |= {
                "trained_steps": None,
                "second_moments": f"estimated from {len(self.sample)} passages",
                "learning_rate_from": "rule" if self.chosen else "asked for",
            }
        return said

    def probabilities(self, queries: Sequence[Query]) -> list[float]:
        """Each query's target probability (0..1) under the saved weights."""
        own = {name: parameter.detach() for name, parameter in self.model.model.named_parameters()}
        return self._probabilities(own, [self.model.texts.query(query) for query in queries]).tolist()

    def measure(self, query: Query, passages: Sequence[str]) -> list[float]:
        """Change of the query's target probability after a step on each passage, in percentage points."""
        return [changes[0] for changes in self.measure_all([query], passages)]

    def measure_all(
        self,
        queries: Sequence[Query],
        passages: Sequence[str],
        *,
        before: Sequence[float] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[list[float]]:
        """The change for every passage (outer) and query (inner), in percentage points.

        A blank passage teaches nothing: its changes are 0.

        Args:
            before: the queries' `probabilities`, if they are known already.

        Raises:
            UserError: a query cannot be traced (see `Texts.query`).
        """
        texts = self.model.texts
        asked = [texts.query(query) for query in queries]
        own = {name: parameter.detach() for name, parameter in self.model.model.named_parameters()}
        start = (
            self._probabilities(own, asked) if before is None else torch.tensor(before, dtype=torch.float64)
        )
        changes = []
        for done, example in enumerate(texts.passages(passages), start=1):
            if example.targets:
                after = self._probabilities(self._step(own, example), asked)
                changes.append([100.0 * float(change) for change in after - start])
            else:
                changes.append([0.0] * len(queries))
            if progress:
                progress(done, len(passages))
        return changes

    def _step(self, own: Mapping[str, torch.Tensor], example: TrainingExample) -> dict[str, torch.Tensor]:
        """All weights after one step on the example."""
        # Views of the model's own storage: nothing is copied, and only these record gradients.
        trained = {name: own[name].detach().requires_grad_() for name in self.names}
        with torch.enable_grad():
            loss = mean_loss(self.model, {**own, **trained}, example)
            gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        new = dict(own)
        with torch.no_grad():
            for name, gradient in zip(self.names, gradients, strict=True):
                if gradient is not None:
                    settings = {**self.state.settings[name], "lr": self.rate}
                    new[name] = stepped(own[name], gradient, self.moments[name], settings, self.state.step)
        return new

    @torch.no_grad()
    def _probabilities(
        self, weights: Mapping[str, torch.Tensor], queries: Sequence[TrainingExample]
    ) -> torch.Tensor:
        """Joint probability of each query's loss tokens, (queries,) float64."""
        out = torch.zeros(len(queries), dtype=torch.float64)
        for batch in length_batches([len(query.ids) for query in queries], BATCH_TOKENS):
            asked = [queries[row] for row in batch]
            rows, labels = predicting(asked, self.model.device)
            logits = self._logits(weights, asked)[rows].double()
            logp = logits.log_softmax(-1).gather(1, labels[:, None])[:, 0].cpu()
            sizes = [len(query.targets) for query in asked]
            out[batch] = torch.stack([part.sum() for part in logp.split(sizes)]).exp()
        return out

    def _logits(
        self, weights: Mapping[str, torch.Tensor], examples: Sequence[TrainingExample]
    ) -> torch.Tensor:
        ids = pad(examples, self.model.device)
        made = functional_call(self.model.model, dict(weights), kwargs={"input_ids": ids, "use_cache": False})
        return made.logits.flatten(0, 1)

    def _teaches(self, rate: float) -> tuple[bool, float]:
        """For `choose_rate`: steps on some of the sample, measured on themselves and on others' last tokens."""
        self.rate = rate
        own = {name: parameter.detach() for name, parameter in self.model.model.named_parameters()}
        half = min(TRIED, len(self.sample) // 2)
        others = [
            TrainingExample(one.ids[: one.targets[-1] + 1], one.targets[-1:])
            for one in self.sample[half : 2 * half]
        ]
        before, falls, moved = self._probabilities(own, others), True, 0.0
        for example in self.sample[:half]:
            after = self._step(own, example)
            with torch.no_grad():
                fell = mean_loss(self.model, own, example) - mean_loss(self.model, after, example)
            falls = falls and bool(fell > 0)
            moved += 100 * float((self._probabilities(after, others) - before).abs().mean()) / half
        return falls, moved

    def _final_rate(self) -> float:
        rate = float(self.state.settings[self.names[0]].get("lr") or 0.0)
        if not rate > 0:
            raise UserError(
                "The optimizer ended with a learning rate of zero (or does not say), so a step would change nothing.",
                file=self.state.file,
                field="learning_rate",
                remedy="Give the learning rate of the step.",
            )
        return rate
