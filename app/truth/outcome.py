"""What a leave-out experiment found, as one file from which every figure can be worked out again.

    HOME/truth/NAME.json.gz

It holds what each finished training measured, what each method had predicted of it, and all it takes to train again:
shape, seed, corpus and the rule of the draws (`app.truth.plan`). Figures are not read from it but worked out.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.evaluation.metrics import Estimate, estimate
from app.files import write_bytes
from app.truth.agreement import agreement, datamodelling

SUFFIX = ".json.gz"
FEWEST = 6  # trainings: three in either half are the least that have an order


@dataclass(frozen=True)
class Outcome:
    """An experiment as its file has it.

    Args:
        about: corpus, shape, seed, share and commands, for people and for doing it again.
        prompts: id, text, target and relation of each.
        everything: margins (prompts,) of the model that saw all.
        trainings: name, digest of what was seen, seconds, loss of each training without a random part.
        measured: margins (trainings, prompts).
        predicted: by method, sums of influences of what stayed in (trainings, prompts).
        without: trainings without a method's first percent: `method`, `prompts` (places) and their `margins`.
    """

    about: Mapping[str, Any]
    prompts: Sequence[Mapping[str, str]]
    everything: np.ndarray
    trainings: Sequence[Mapping[str, Any]]
    measured: np.ndarray
    predicted: Mapping[str, np.ndarray]
    without: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class MethodFigures:
    """One method: its LDS, and QLD, the fall of a prompt's margin without the method's first percent of the corpus."""

    method: str
    lds: Estimate
    qld: Estimate | None


@dataclass(frozen=True)
class TruthFigures:
    """All methods, best LDS first.

    Args:
        apart: of each two methods (better, worse) whose LDS differ with an interval that has no zero: by how much.
        level: of all other two: by how much.
        halves: the methods' order by either half of the trainings.
    """

    methods: list[MethodFigures]
    apart: dict[tuple[str, str], Estimate]
    level: dict[tuple[str, str], Estimate]
    halves: tuple[list[str], list[str]]

    @property
    def stable(self) -> bool:
        """Whether no two methods that are apart change places between the halves."""
        return all(
            half.index(better) < half.index(worse) for better, worse in self.apart for half in self.halves
        )


def figures(outcome: Outcome, *, seed: int = 0) -> TruthFigures | None:
    """LDS and QLD with their intervals; None while there are too few trainings for an order in either half."""
    if len(outcome.measured) < FEWEST:
        return None
    every = slice(None)
    ordered = {method: outcome.predicted[method] for method in _order(outcome, every)}
    lds, differences = datamodelling(ordered, outcome.measured, seed=seed)
    apart = {pair: found for pair, found in differences.items() if found.low > 0}
    return TruthFigures(
        [MethodFigures(method, lds[method], _fall(outcome, method)) for method in ordered],
        apart,
        {pair: found for pair, found in differences.items() if pair not in apart},
        (_order(outcome, slice(0, None, 2)), _order(outcome, slice(1, None, 2))),
    )


def predicted_and_measured(outcome: Outcome, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as they vary over trainings, in standard deviations of each prompt; (trainings, prompts) each."""
    return _standard(outcome.predicted[method]), _standard(outcome.measured)


def write_outcome(outcome: Outcome, file: Path) -> None:
    """Write it, sums to seven digits, for ranks ask for the last of them; the same outcome gives the same bytes."""
    content = {
        "about": dict(outcome.about),
        "prompts": [dict(prompt) for prompt in outcome.prompts],
        "everything": outcome.everything.tolist(),
        "trainings": [dict(row) for row in outcome.trainings],
        "measured": outcome.measured.tolist(),
        "predicted": {
            method: [[float(f"{value:.7g}") for value in row] for row in sums]
            for method, sums in outcome.predicted.items()
        },
        "without": [dict(row) for row in outcome.without],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))


def read_outcome(file: Path) -> Outcome:
    """The inverse of `write_outcome`.

    Raises:
        UserError: the file is no outcome, or damaged.
    """
    try:
        content = json.loads(gzip.decompress(file.read_bytes()))
        return Outcome(
            content["about"],
            content["prompts"],
            np.array(content["everything"]),
            content["trainings"],
            np.array(content["measured"], dtype=float).reshape(-1, len(content["prompts"])),
            {
                method: np.array(sums, dtype=float).reshape(-1, len(content["prompts"]))
                for method, sums in content["predicted"].items()
            },
            content["without"],
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"It is no outcome of startrail truth, or damaged: {error}.",
            file=file,
            remedy="Give startrail truth again: it writes the file from the trainings that are done.",
        ) from None


def _fall(outcome: Outcome, method: str) -> Estimate | None:
    falls = [
        outcome.everything[at] - margin
        for row in outcome.without
        if row["method"] == method
        for at, margin in zip(row["prompts"], row["margins"], strict=True)
    ]
    return estimate(falls)


def _order(outcome: Outcome, some: slice) -> list[str]:
    """The methods by the LDS over some of the trainings, the best first."""
    own = {method: sums[some] for method, sums in outcome.predicted.items()}
    found = agreement(own, outcome.measured[some])
    return sorted(found, key=lambda method: -found[method])


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std(0)
    return np.where(spread > 0, (values - values.mean(0)) / np.where(spread > 0, spread, 1.0), 0.0)
