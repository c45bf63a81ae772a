"""What a leave-out experiment found, as one file from which every figure can be worked out again.

    HOME/truth/NAME.json.gz

It holds what each finished training measured, what each method had predicted of it, and all it takes to train again:
shape, seed, corpus and the rule of the draws (`app.truth.plan`). Figures are not read from it but worked out.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.evaluation.metrics import Estimate, estimate, paired_difference
from app.files import json_encoded, write_bytes
from app.truth.agreement import agreement, datamodelling, over_all

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
        by_first: as `predicted`, of each method's own first `about["first"]` passages alone.
        without: trainings without a method's first percent: `method`, `prompts` (places) and their `margins`.
        influences: of each prompt's first passages, by one `method`: their ids (`passages`) and `scores`; empty if unknown.
        ticked: small groups that were left out: `training`, `prompt` (place), `passages` (its own), `left_out` (of all groups
            of the training), the sum of their influences (`predicted`) and the change of log p (`measured`).
    """

    about: Mapping[str, Any]
    prompts: Sequence[Mapping[str, str]]
    everything: np.ndarray
    trainings: Sequence[Mapping[str, Any]]
    measured: np.ndarray
    predicted: Mapping[str, np.ndarray]
    without: Sequence[Mapping[str, Any]]
    by_first: Mapping[str, np.ndarray] = field(default_factory=dict)
    influences: Mapping[str, Any] = field(default_factory=dict)
    ticked: Sequence[Mapping[str, Any]] = ()


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
        by_first: LDS of the sums of a method's own first passages alone.
        halves: the methods' order by either half of the trainings.
        foretold: by method, the rank correlation of predicted and measured over all pairs of a random half and a prompt.
        further: of each two methods (more, less) by how much further margins fall without the first's first percent, where
            the interval has no zero.
    """

    methods: list[MethodFigures]
    apart: dict[tuple[str, str], Estimate]
    level: dict[tuple[str, str], Estimate]
    halves: tuple[list[str], list[str]]
    foretold: dict[str, Estimate]
    by_first: dict[str, Estimate]
    further: dict[tuple[str, str], Estimate]

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
        [
            MethodFigures(method, lds[method], estimate(list(_falls(outcome, method).values())))
            for method in ordered
        ],
        apart,
        {pair: found for pair, found in differences.items() if pair not in apart},
        (_order(outcome, slice(0, None, 2)), _order(outcome, slice(1, None, 2))),
        over_all(
            {method: _standard(sums) for method, sums in ordered.items()},
            _standard(outcome.measured),
            seed=seed,
        ),
        datamodelling(outcome.by_first, outcome.measured, seed=seed)[0],
        _further(outcome, list(ordered)),
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
        "predicted": _written(outcome.predicted),
        "by_first": _written(outcome.by_first),
        "without": [dict(row) for row in outcome.without],
        "influences": dict(outcome.influences),
        "ticked": [dict(row) for row in outcome.ticked],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, gzip.compress(json_encoded(content), mtime=0))


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
            _read(content["predicted"], len(content["prompts"])),
            content["without"],
            _read(content.get("by_first", {}), len(content["prompts"])),
            content.get("influences", {}),
            content.get("ticked", ()),
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"It is no outcome of startrail truth, or damaged: {error}.",
            file=file,
            remedy="Give startrail truth again: it writes the file from the trainings that are done.",
        ) from None


def _written(predicted: Mapping[str, np.ndarray]) -> dict[str, list[list[float]]]:
    return {
        method: [[float(f"{value:.7g}") for value in row] for row in sums]
        for method, sums in predicted.items()
    }


def _read(predicted: Mapping[str, Any], prompts: int) -> dict[str, np.ndarray]:
    return {method: np.array(sums, dtype=float).reshape(-1, prompts) for method, sums in predicted.items()}


def _falls(outcome: Outcome, method: str) -> dict[int, float]:
    """By prompt, how far its margin falls without the method's first percent."""
    return {
        at: float(outcome.everything[at] - margin)
        for row in outcome.without
        if row["method"] == method
        for at, margin in zip(row["prompts"], row["margins"], strict=True)
    }


def _further(outcome: Outcome, methods: list[str]) -> dict[tuple[str, str], Estimate]:
    falls = {method: _falls(outcome, method) for method in methods}
    found = {}
    for one in methods:
        for other in methods:
            shared = sorted(falls[one].keys() & falls[other].keys())
            gap = paired_difference([falls[one][at] for at in shared], [falls[other][at] for at in shared])
            if gap is not None and gap.low > 0:
                found[one, other] = gap
    return found


def _order(outcome: Outcome, some: slice) -> list[str]:
    """The methods by the LDS over some of the trainings, the best first."""
    own = {method: sums[some] for method, sums in outcome.predicted.items()}
    found = agreement(own, outcome.measured[some])
    return sorted(found, key=lambda method: -found[method])


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std(0)
    return np.where(spread > 0, (values - values.mean(0)) / np.where(spread > 0, spread, 1.0), 0.0)
