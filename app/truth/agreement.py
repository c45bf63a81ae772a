"""How well predicted sums of influences agree with what trained models measured: LDS, its interval, and who is apart.

    LDS = mean over prompts of the rank correlation, over trainings, of Σ influence of what stayed in with the margin

(Park et al. 2023, TRAK, §2.3). Intervals are percentile bootstraps that draw trainings and prompts anew, the same draws
for every method, so that differences are paired. Ranks are taken once, over all trainings: a draw weighs them.
"""

from collections.abc import Mapping

import numpy as np

from app.evaluation.metrics import Estimate

DRAWS = 1000
ENDS = (2.5, 97.5)


def ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks down each column, ties sharing theirs; (trainings, prompts) float64."""
    order = np.argsort(values, axis=0, kind="stable")
    out = np.empty(values.shape)
    places = np.arange(len(values), dtype=float)
    for column in range(values.shape[1]):
        own = values[order[:, column], column]
        starts = np.r_[True, own[1:] != own[:-1]]
        group = np.cumsum(starts) - 1
        out[order[:, column], column] = (np.bincount(group, places) / np.bincount(group))[group]
    return out


def correlations(predicted: np.ndarray, measured: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, prompts): the correlation over trainings, each training counted `weights` (draws, trainings) times.

    0 where either does not vary: a method that predicts nothing agrees with nothing.
    """
    share = weights / weights.sum(1, keepdims=True)
    x, y = (each - each.mean(0) for each in (predicted, measured))
    mean_x, mean_y = share @ x, share @ y
    covariance = share @ (x * y) - mean_x * mean_y
    spread = (share @ x**2 - mean_x**2) * (share @ y**2 - mean_y**2)
    return np.where(spread > 1e-9, covariance / np.sqrt(np.maximum(spread, 1e-9)), 0.0)


def agreement(predicted: Mapping[str, np.ndarray], measured: np.ndarray) -> dict[str, float]:
    """Each method's LDS alone, arguments as of `datamodelling`."""
    once = np.ones((1, len(measured)))
    truth = ranks(measured)
    return {
        method: float(correlations(ranks(sums), truth, once).mean()) for method, sums in predicted.items()
    }


def datamodelling(
    predicted: Mapping[str, np.ndarray], measured: np.ndarray, *, seed: int = 0
) -> tuple[dict[str, Estimate], dict[tuple[str, str], Estimate]]:
    """Each method's LDS, and for each two methods the first's less the second's, each with its interval.

    Args:
        predicted: by method, sums of influences (trainings, prompts). measured: margins (trainings, prompts).

    Raises:
        ValueError: there are fewer than three trainings.
    """
    trainings, prompts = measured.shape
    if trainings < 3:
        raise ValueError("A rank correlation needs three trainings or more.")
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(trainings, np.full(trainings, 1 / trainings), DRAWS).astype(float)
    asked = rng.multinomial(prompts, np.full(prompts, 1 / prompts), DRAWS) / prompts
    weights = np.vstack([np.ones(trainings), drawn])
    truth = ranks(measured)
    means: dict[str, np.ndarray] = {}
    for method, sums in predicted.items():
        found = correlations(ranks(sums), truth, weights)
        means[method] = np.r_[found[0].mean(), (found[1:] * asked).sum(1)]
    pairs = [(one, other) for at, one in enumerate(means) for other in list(means)[at + 1 :]]
    return (
        {method: _interval(values, prompts) for method, values in means.items()},
        {(one, other): _interval(means[one] - means[other], prompts) for one, other in pairs},
    )


def over_all(
    predicted: Mapping[str, np.ndarray], measured: np.ndarray, *, seed: int = 0
) -> dict[str, Estimate]:
    """Each method's rank correlation over all pairs of a training and a prompt, with its interval.

    Args:
        predicted, measured: as they vary over trainings, in a unit that all prompts share (trainings, prompts).
    """
    trainings, prompts = measured.shape
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(trainings, np.full(trainings, 1 / trainings), DRAWS) / trainings
    asked = rng.multinomial(prompts, np.full(prompts, 1 / prompts), DRAWS) / prompts
    by_training = np.vstack([np.full((1, trainings), 1 / trainings), drawn])
    by_prompt = np.vstack([np.full((1, prompts), 1 / prompts), asked])

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(((by_training @ values) * by_prompt).sum(1))

    y = _ranked_together(measured)
    found = {}
    for method, sums in predicted.items():
        x = _ranked_together(sums)
        covariance = mean(x * y) - mean(x) * mean(y)
        spread = (mean(x**2) - mean(x) ** 2) * (mean(y**2) - mean(y) ** 2)
        values = np.where(spread > 1e-9, covariance / np.sqrt(np.maximum(spread, 1e-9)), 0.0)
        found[method] = _interval(values, measured.size)
    return found


def _ranked_together(values: np.ndarray) -> np.ndarray:
    """Ranks among all values, about zero."""
    own = ranks(values.reshape(-1, 1)).reshape(values.shape)
    return np.asarray(own - own.mean())


def _interval(values: np.ndarray, count: int) -> Estimate:
    """Of the value itself, at the front, and what it was in each draw."""
    low, high = np.percentile(values[1:], ENDS)
    return Estimate(float(values[0]), float(low), float(high), count)
