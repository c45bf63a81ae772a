"""What a sum of influences is worth, as pages say it."""

from pydantic import BaseModel

from app.truth.calibration import Calibration


class Worth(BaseModel):
    """The slope of log p by unit of a method's influence, and how well sums foretold groups that were left out."""

    method: str
    slope: float
    slope_low: float
    slope_high: float
    scatter: float
    groups: int
    halves: bool  # of the corpus, drawn at random; else small groups of a prompt's first passages
    smallest: int
    largest: int
    trainings: int
    spearman: float
    spearman_low: float
    spearman_high: float


def worth_of(calibration: Calibration | None) -> Worth | None:
    """The calibration as a document; None where there is none."""
    if calibration is None:
        return None
    slope, rank = calibration.slope, calibration.spearman
    return Worth(
        method=calibration.method,
        slope=slope.mean,
        slope_low=slope.low,
        slope_high=slope.high,
        scatter=calibration.scatter,
        groups=calibration.groups,
        halves=calibration.halves,
        smallest=calibration.sizes[0],
        largest=calibration.sizes[1],
        trainings=calibration.trainings,
        spearman=rank.mean,
        spearman_low=rank.low,
        spearman_high=rank.high,
    )
