"""From a sum of influences to a change of log-probability: the slope that trainings gave, and how far single ones scatter.

A method's influences have a unit of their own. Trainings without groups of passages say what it is worth: for each group the
sum of its passages' influences on a prompt, and by how much the prompt's answer became less likely without them.

    change of log p = − slope · Σ influence of what was left out

The groups are small ones, as readers tick them, where there are enough; else the random halves, of which only the differences
count: without half of everything all answers become less likely. Intervals are 95 %: of the slope by drawing groups anew
(of halves: trainings and prompts), a thousand times; of one training by the scatter about it, too.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation.metrics import Estimate
from app.truth.agreement import DRAWS, ENDS, over_all, ranks
from app.truth.outcome import Outcome

FEWEST = 20  # groups, for a slope
TINY = 1e-30
NORMAL = 1.96  # standard deviations on either side that hold 95 %


@dataclass(frozen=True)
class Calibration:
    """What a method's sums are worth.

    Args:
        slope: of log p by unit of influence, with its interval.
        scatter: standard deviation of single trainings about what is predicted.
        spearman: rank correlation, over groups, of predicted and measured changes.
        predicted, measured: changes of log p of each group, in one order.
        sizes: passages of the smallest and largest group.
        groups, trainings: how many groups were left out, and in how many trainings.
        halves: whether these are random halves of the corpus, of which `predicted` has each prompt's difference from its mean.
    """

    method: str
    slope: Estimate
    scatter: float
    spearman: Estimate
    predicted: list[float]
    measured: list[float]
    sizes: tuple[int, int]
    groups: int
    trainings: int
    halves: bool

    def change(self, total: float) -> Estimate:
        """Of log p where passages with this sum of influences are left out of one training."""
        mean = -self.slope.mean * total
        aside = abs(total) * (self.slope.high - self.slope.low) / 2
        half = float(np.hypot(aside, NORMAL * self.scatter))
        return Estimate(mean, mean - half, mean + half, self.slope.count)


def calibrate(outcome: Outcome, *, seed: int = 0) -> Calibration | None:
    """What the outcome's influences are worth; None where too few groups were left out."""
    if not outcome.influences:
        return None
    return _by_small(outcome, seed) or _by_halves(outcome, seed)


def _by_small(outcome: Outcome, seed: int) -> Calibration | None:
    """The slope through nothing: without a passage, no change."""
    groups = outcome.ticked
    sums = np.array([group["predicted"] for group in groups])
    measured = np.array([group["measured"] for group in groups])
    if len(groups) < FEWEST or not (sums**2).sum():
        return None
    drawn = np.random.default_rng(seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), DRAWS)
    weights = np.vstack([np.ones(len(groups)), drawn])
    slopes = -(weights @ (sums * measured)) / np.maximum(weights @ sums**2, TINY)
    predicted = -slopes[0] * sums
    own = [int(group["passages"]) for group in groups]
    return Calibration(
        method=str(outcome.influences["method"]),
        slope=_interval(slopes, len(groups)),
        scatter=_scatter(measured - predicted),
        spearman=_interval(_correlations(predicted, measured, weights), len(groups)),
        predicted=predicted.tolist(),
        measured=measured.tolist(),
        sizes=(min(own), max(own)),
        groups=len(groups),
        trainings=len({group["training"] for group in groups}),
        halves=False,
    )


def _by_halves(outcome: Outcome, seed: int) -> Calibration | None:
    """The slope of each prompt's differences between trainings, one for all prompts."""
    method = str(outcome.influences["method"])
    trainings, prompts = outcome.measured.shape
    stayed = outcome.predicted.get(method)
    if trainings < FEWEST or stayed is None:
        return None
    gone = stayed.mean(0) - stayed
    logs = log_probability(outcome.measured)
    change = logs - logs.mean(0)
    if not (gone**2).sum():
        return None
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(trainings, np.full(trainings, 1 / trainings), DRAWS)
    asked = rng.multinomial(prompts, np.full(prompts, 1 / prompts), DRAWS)
    by_training = np.vstack([np.ones((1, trainings)), drawn])
    by_prompt = np.vstack([np.ones((1, prompts)), asked])

    def total(values: np.ndarray) -> np.ndarray:
        return np.asarray(((by_training @ values) * by_prompt).sum(1))

    slopes = -total(gone * change) / np.maximum(total(gone**2), TINY)
    predicted = -slopes[0] * gone
    left_out = round(outcome.about["passages"] * (1 - outcome.about["share"]))
    return Calibration(
        method=method,
        slope=_interval(slopes, trainings),
        scatter=_scatter(change - predicted) * (trainings / (trainings - 1)) ** 0.5,
        spearman=over_all({method: predicted}, change, seed=seed)[method],
        predicted=predicted.ravel().tolist(),
        measured=change.ravel().tolist(),
        sizes=(left_out, left_out),
        groups=trainings,
        trainings=trainings,
        halves=True,
    )


def _scatter(rest: np.ndarray) -> float:
    """Standard deviation about zero."""
    return float(np.sqrt((rest**2).mean()))


class Influences:
    """Sums of influences of passages on the prompts of an outcome, by the method that it names."""

    def __init__(self, outcome: Outcome) -> None:
        kept = outcome.influences
        self.method = str(kept["method"]) if kept else ""
        self._scores: list[dict[str, float]] = (
            [
                dict(zip(ids, own, strict=True))
                for ids, own in zip(kept["passages"], kept["scores"], strict=True)
            ]
            if kept
            else []
        )
        self.places = {prompt["id"]: at for at, prompt in enumerate(outcome.prompts)} if kept else {}

    def known(self, prompt: str, passages: list[str]) -> tuple[float, int] | None:
        """Their sum, and how many of them have a part in it; None where the prompt was not asked."""
        at = self.places.get(prompt)
        if at is None:
            return None
        own = [self._scores[at][id_] for id_ in passages if id_ in self._scores[at]]
        return float(sum(own)), len(own)

    def most_moved(self, passages: list[str], count: int) -> list[str]:
        """The prompts on which these passages together have most influence, either way, the most first."""
        found = {id_: abs((self.known(id_, passages) or (0.0, 0))[0]) for id_ in self.places}
        return [id_ for id_ in sorted(found, key=lambda each: -found[each]) if found[id_]][:count]


def log_probability(margin: np.ndarray) -> np.ndarray:
    """Of log p / (1 − p), log p."""
    return np.asarray(-np.logaddexp(0.0, -margin))


def _correlations(predicted: np.ndarray, measured: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,): the correlation of their ranks, each group counted as often as it was drawn."""
    x, y = (ranks(values[:, None])[:, 0] for values in (predicted, measured))
    share = weights / weights.sum(1, keepdims=True)
    mean_x, mean_y = share @ x, share @ y
    covariance = share @ (x * y) - mean_x * mean_y
    spread = (share @ x**2 - mean_x**2) * (share @ y**2 - mean_y**2)
    return np.where(spread > 1e-9, covariance / np.sqrt(np.maximum(spread, 1e-9)), 0.0)


def _interval(values: np.ndarray, count: int) -> Estimate:
    low, high = np.percentile(values[1:], ENDS)
    return Estimate(float(values[0]), float(low), float(high), count)
