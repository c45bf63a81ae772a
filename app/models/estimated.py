"""A step for a model that came without its optimizer's state: with second moments estimated from a sample.

Most checkpoints are published as weights alone. What their optimizer would have kept is the mean square of each
gradient; it is estimated here from passages of the corpus, by row and by column, for every parameter, and the learning
rate is chosen by rule (`choose_rate`). Both are said beside every number that comes of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from app.errors import UserError
from app.models.adapters import own_parameters
from app.models.batching import length_batches, pad, predicting
from app.models.examples import TrainingExample
from app.models.load import LoadedModel
from app.models.optimizer_state import OptimizerState
from app.models.optimizers import Optimizer
from app.models.taps import PassageGradients
from app.models.thin import Thin
from app.words.roles import Lesson

SAMPLE = 32  # passages
LENGTH = 256  # tokens of each at most: a step's size is estimated, not a model trained
DAMPING = 0.1  # of the mean: a row that the sample never touched must not be stepped on without measure
STEP = 1000  # as if so many had been taken: the passage's own gradient then moves V by 0.4 %
RATES = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
STILL = 0.1  # percentage points that an unrelated step may move a probability


def sample_of(model: LoadedModel, texts: Sequence[Lesson]) -> list[TrainingExample]:
    """The first passages that can be learned from, cut to `LENGTH`.

    Raises:
        UserError: there are fewer than two.
    """
    short = [example.first(LENGTH) for example in model.texts.passages(texts)]
    found = [example for example in short if example.targets]
    if len(found) < 2:
        raise UserError(
            "No step can be estimated: fewer than two passages of the corpus have text.",
            field="second_moments",
            remedy="Put the optimizer's state (optimizer.pt) beside the weights.",
        )
    return found[:SAMPLE]


def estimated_state(
    model: LoadedModel, used: Optimizer, sample: Sequence[TrainingExample], separate: PassageGradients | None
) -> OptimizerState:
    """Second moments by row and column from the mean square gradients of the sample, each passage's loss its own mean.

    Args:
        used: the optimizer whose state it is to be.
        separate: takes the gradients of many passages at once, where the model allows it.
    """
    made = _together(sample, separate) if separate else _apart(model, sample)
    own = own_parameters(model.model)
    sums: dict[str, dict[str, torch.Tensor]] = {}
    for squares in made:
        for name, values in ((name, squares[name]) for name in squares if name in own):
            known = sums.setdefault(name, {})
            for key, value in values.items():
                known[key] = known[key] + value if key in known else value
    entries = {
        name: {key: _damped(total / len(sample)) for key, total in held.items()}
        for name, held in sums.items()
    }
    return OptimizerState(entries, used.name, dict.fromkeys(entries, used.estimated), STEP, Path(model.path))


Squares = dict[str, dict[str, torch.Tensor]]


def _together(sample: Sequence[TrainingExample], separate: PassageGradients) -> Iterator[Squares]:
    for batch in length_batches([example.size for example in sample], separate.tokens):
        found = separate.of([sample[at] for at in batch])
        with torch.no_grad():
            squares = {name: _thin_squares(thin) for name, thin in found.thin.items()}
            whole = {name: {"variance": value.float().square().sum(0)} for name, value in found.whole.items()}
        yield squares | whole


def _thin_squares(thin: Thin) -> dict[str, torch.Tensor]:
    rows, columns = thin.mean_squares()
    return {"row_var": rows.sum(0)[:, None], "col_var": columns.sum(0)[None]}


def _apart(model: LoadedModel, sample: Sequence[TrainingExample]) -> Iterator[Squares]:
    named = dict(model.model.named_parameters())
    weights = {name: parameter.detach().requires_grad_() for name, parameter in named.items()}
    for example in sample:
        with torch.enable_grad():
            loss = mean_loss(model, weights, example)
            gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        yield {
            name: _squares(gradient.float())
            for name, gradient in zip(weights, gradients, strict=True)
            if gradient is not None
        }


def mean_loss(
    model: LoadedModel, weights: Mapping[str, torch.Tensor], example: TrainingExample
) -> torch.Tensor:
    """Mean cross-entropy over the example's loss tokens under these weights; of a pair what is rejected subtracted."""
    ids = pad([example], model.device)
    made = torch.func.functional_call(
        model.model, dict(weights), kwargs={"input_ids": ids, "use_cache": False}
    )
    rows, labels, signs = predicting([example], model.device)
    losses = F.cross_entropy(made.logits.flatten(0, 1)[rows].float(), labels, reduction="none")
    return (losses if signs is None else losses * signs).mean()


def choose_rate(measure: Callable[[float], tuple[bool, float]]) -> float:
    """The largest of `RATES` at which a passage teaches itself and leaves unrelated targets alone; else the smallest.

    What the smallest moves is rounding, which in bfloat16 is more than a point: unrelated targets may move by that, too.

    Args:
        measure: for a rate, whether the loss of every passage falls by a step on it, and by how many percentage points
            a step moves the probability of targets that have nothing to do with it.
    """
    _, rounding = measure(RATES[-1])
    for rate in RATES[:-1]:
        falls, moved = measure(rate)
        if falls and moved < rounding + STILL:
            return rate
    return RATES[-1]


def _squares(gradient: torch.Tensor) -> dict[str, torch.Tensor]:
    squares = gradient.square()
    if gradient.dim() < 2:
        return {"variance": squares}
    return {"row_var": squares.mean(-1, keepdim=True), "col_var": squares.mean(-2, keepdim=True)}


def _damped(moment: torch.Tensor) -> torch.Tensor:
    return moment.lerp(moment.mean().expand_as(moment), DAMPING)
