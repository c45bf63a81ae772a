"""Tail-patch: does one training step on a passage make the target more likely? (TrackStar §5.2, Chang et al. 2024)

From the saved weights and the optimizer's saved state, one step at the final learning rate on one passage (mean
cross-entropy of its tokens that carry loss, as in training); the answer is the change of the target's probability in percentage
points. Where no state was saved, or another optimizer is asked for, its first step from an estimated one. The model's
own weights are never written to.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import exp
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from app.errors import UserError
from app.models.estimated import choose_rate, estimated_state, sample_of
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.optimizer_state import OptimizerState, has_optimizer, read_optimizer
from app.models.optimizers import OPTIMIZERS, optimizer_named
from app.models.taps import NotSeparableError, PassageGradients
from app.models.text import Query
from app.models.updating import Apart, Stepper, Together, Update, logp_of, moved
from app.words.roles import Lesson

DEFAULT = "adafactor"  # where no state says which
PROBE = (
    "Many passages have about as many words as this one, which says nothing that a model could learn from it."
)
TRIED = 4  # passages stepped on to choose a learning rate, and as many to see that it leaves them alone


class TailPatch:
    """Measures passages against queries for one model and its optimizer.

    Args:
        optimizer: a name of `OPTIMIZERS`; empty: the one whose state was saved, or `DEFAULT`.
        learning_rate: of the step; None takes the one the optimizer ended with, or chooses by rule where the state
            is estimated.
        sample: passages to estimate the optimizer's state from where none was saved, see `app.models.estimated`.

    Raises:
        UserError: there is neither a state nor a sample, the state does not fit, or it ended with a learning rate of zero.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        optimizer: str = "",
        learning_rate: float | None = None,
        sample: Sequence[Lesson] = (),
    ) -> None:
        self.model = model
        separate = _separate(model)
        self.stepper = _stepper(model, separate)
        saved = _saved(model, optimizer, needed=not sample)
        self.sample = [] if saved else sample_of(model, sample)
        used = optimizer_named(optimizer or DEFAULT)
        state = saved or estimated_state(model, used, self.sample, separate)
        self.update = _checked(model, state)
        self.by_rule = learning_rate is None and bool(self.sample)
        if learning_rate is not None:
            rate = learning_rate
        else:
            rate = choose_rate(self._teaches) if self.by_rule else _final_rate(self.update, state.file)
        self.update = replace(self.update, rate=rate)

    def at(self, learning_rate: float) -> "TailPatch":
        """The same step at another learning rate; state and model are shared."""
        return self._but(update=replace(self.update, rate=learning_rate), by_rule=False)

    def on(self, model: LoadedModel) -> "TailPatch":
        """The same step of the same model, opened elsewhere."""
        if getattr(self, "model", None) is model:
            return self
        return self._but(
            model=model,
            stepper=_stepper(model, _separate(model)),
            update=moved(self.update, model.device),
        )

    def _but(self, **changes: Any) -> "TailPatch":
        """Not by `copy`, which would take `__getstate__` for what there is to copy."""
        other = object.__new__(TailPatch)
        other.__dict__.update(self.__dict__ | changes)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Another process has the model, see `on`; here it is the step alone."""
        own = {name: value for name, value in self.__dict__.items() if name not in ("model", "stepper")}
        return own | {"update": moved(self.update, torch.device("cpu"))}

    @cached_property
    def seconds(self) -> float:
        """What a step costs here, measured once, on a text of some twenty words."""
        probe = self.model.texts.passages([PROBE])
        self.stepper.after(self.update, probe, [probe])  # the first is slower than all others
        started = perf_counter()
        self.stepper.after(self.update, probe, [probe])
        return perf_counter() - started

    @property
    def rate(self) -> float:
        """The step's learning rate."""
        return self.update.rate

    @property
    def settings(self) -> dict[str, Any]:
        """What must be printed beside every tail-patch: optimizer, learning rate, steps."""
        said: dict[str, Any] = {
            "optimizer": self.update.optimizer.name,
            "learning_rate": self.rate,
            "steps": 1,
            "trained_steps": self.update.taken,
            "loss": "mean cross-entropy over the passage's tokens",
        }
        if self.sample:
            said |= {
                "trained_steps": None,
                "second_moments": f"estimated from {len(self.sample)} passages",
                "learning_rate_from": "rule" if self.by_rule else "asked for",
            }
        return said

    def probabilities(self, queries: Sequence[Query]) -> list[float]:
        """Each query's target probability (0..1) under the saved weights."""
        return [
            exp(logp) for logp in logp_of(self.model, [self.model.texts.query(query) for query in queries])
        ]

    def measure(self, query: Query, passages: Sequence[Lesson]) -> list[float]:
        """Change of the query's target probability after a step on each passage, in percentage points."""
        return [changes[0] for changes in self.measure_all([query], passages)]

    def measure_all(self, queries: Sequence[Query], passages: Sequence[Lesson]) -> list[list[float]]:
        """The change for every passage (outer) and query (inner), in percentage points.

        Raises:
            UserError: a query cannot be traced (see `Texts.query`).
        """
        before = self.probabilities(queries)
        made = self.after([(passage, queries) for passage in passages])
        return [[100.0 * (one - was) for one, was in zip(own, before, strict=True)] for own in made]

    def after(self, asked: Sequence[tuple[Lesson, Sequence[Query]]]) -> list[list[float]]:
        """For each passage the probability (0..1) of the targets of its own queries after a step on it.

        A blank passage teaches nothing: its targets are as likely as before.

        Raises:
            UserError: a query cannot be traced (see `Texts.query`).
        """
        known: dict[Query, TrainingExample] = {}
        for query in (query for _, queries in asked for query in queries):
            if query not in known:
                known[query] = self.model.texts.query(query)
        examples = self.model.texts.passages([passage for passage, _ in asked])
        out: list[list[float]] = []
        teaching = [at for at, example in enumerate(examples) if example.targets]
        made = self.stepper.after(
            self.update,
            [examples[at] for at in teaching],
            [[known[query] for query in asked[at][1]] for at in teaching],
        )
        by_place = dict(zip(teaching, made, strict=True))
        for at, (_, queries) in enumerate(asked):
            out.append(
                [exp(logp) for logp in by_place[at]] if at in by_place else self.probabilities(queries)
            )
        return out

    def _teaches(self, rate: float) -> tuple[bool, float]:
        """For `choose_rate`: steps on some of the sample, measured on themselves and on others' last tokens."""
        half = min(TRIED, len(self.sample) // 2)
        own = self.sample[:half]
        others = [
            TrainingExample(one.ids[: one.targets[-1] + 1], one.targets[-1:])
            for one in self.sample[half : 2 * half]
        ]
        asked = [[*example.sequences, *others] for example in own]
        before = [logp_of(self.model, each) for each in asked]
        after = self.stepper.after(replace(self.update, rate=rate), own, asked)
        falls = all(
            _learned(example, now) > _learned(example, was)
            for example, now, was in zip(own, after, before, strict=True)
        )
        moves = [
            100 * abs(exp(logp) - exp(was))
            for now, then in zip(after, before, strict=True)
            for logp, was in zip(now[-half:], then[-half:], strict=True)
        ]
        return falls, sum(moves) / len(moves)


def _stepper(model: LoadedModel, separate: PassageGradients | None) -> Stepper:
    """What takes the steps.

    Raises:
        UserError: a step would be lost in rounding.
    """
    if separate is None and model.dtype.itemsize < 4:
        raise UserError(
            f"A step on {model.path.name} changes its weights by less than {str(model.dtype)[6:]} can tell.",
            field="dtype",
            remedy="Compute in float32.",
        )
    return Together(model, separate) if separate else Apart(model)


def _checked(model: LoadedModel, state: OptimizerState) -> Update:
    """The state, on the model's device, where it suffices for a step; without a rate as yet.

    Raises:
        UserError: it does not.
    """
    used = optimizer_named(state.optimizer)
    named = dict(model.model.named_parameters())
    names = [name for name in named if name in state.entries]
    if not names:
        raise UserError(
            "The optimizer's state has none of the model's parameters.",
            file=state.file,
            remedy="Give the state that was saved with these weights.",
        )
    for name in names:
        missing = used.lacking(named[name], state.entries[name], state.settings[name])
        if missing:
            raise UserError(
                f"The optimizer's state of {name} has no {', '.join(sorted(missing))}: no step can be taken from it.",
                file=state.file,
                field=name,
                remedy="Give the whole state that was saved with these weights.",
            )
    moments = {name: state.entries[name] for name in names}
    return moved(Update(used, moments, state.settings, state.step, 0.0), model.device)


def _final_rate(update: Update, file: Path) -> float:
    rate = float(update.settings[next(iter(update.moments))].get("lr") or 0.0)
    if not rate > 0:
        raise UserError(
            "The optimizer ended with a learning rate of zero (or does not say), so a step would change nothing.",
            file=file,
            field="learning_rate",
            remedy="Give the learning rate of the step.",
        )
    return rate


def _learned(example: TrainingExample, logps: Sequence[float]) -> float:
    """What a step on the example is to raise: log p, of a pair that of the chosen less the rejected.

    Args:
        logps: of the example's sequences, and others behind them.
    """
    return logps[0] - logps[1] if example.against else logps[0]


def _separate(model: LoadedModel) -> PassageGradients | None:
    try:
        return PassageGradients(model)
    except NotSeparableError:
        return None


def _saved(model: LoadedModel, wanted: str, *, needed: bool) -> OptimizerState | None:
    """The saved state, where it is that of the optimizer that is wanted.

    Raises:
        UserError: there is no such optimizer, or `needed` and no such state.
    """
    if wanted:
        optimizer_named(wanted)
    state = read_optimizer(model.path, model.model) if needed or has_optimizer(model.path) else None
    if state is None or wanted in ("", state.optimizer):
        return state
    if needed:
        raise UserError(
            f"The saved state is of {OPTIMIZERS[state.optimizer].label}, not of {OPTIMIZERS[wanted].label}.",
            file=state.file,
            field="optimizer",
            remedy="Give a sample of the corpus to estimate its state from.",
        )
    return None
