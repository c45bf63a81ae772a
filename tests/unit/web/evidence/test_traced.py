"""The summary over a trace's rows is of those rows, whatever was trained on last."""

import re

import pytest

from app.store.steps import SteppedPassage, StepsOf
from app.tracing.trace_results import (
    Completion,
    Hit,
    Provenance,
    Ranking,
    Step,
    TraceResult,
    TrainingResult,
)
from app.web.evidence.lanes import FOR, RANDOM
from app.web.evidence.traced import alike, evidence_of_trace, unasked

BEFORE = 0.25
SETTINGS = {"optimizer": "adafactor", "learning_rate": 0.001, "steps": 1}


def traced(shown: list[int]) -> TraceResult:
    hits = [Hit(rank=rank, score=1 / rank, passage_id=id_) for rank, id_ in enumerate(shown, 1)]
    provenance = Provenance(
        model="m", model_sha256="x", index="i", index_sha256="y", corpus="c", corpus_id=1, corpus_sha256="z",
        passages=100, method={}, search="exact", code="0", device="cpu", threads=1, answered_together=1, timings={},
    )  # fmt: skip
    return TraceResult(
        completion=Completion(text=" blue", tokens=[], probability=BEFORE), generated=True, joined="It is blue",
        rankings={"trackstar": Ranking(proponents=hits)}, provenance=provenance,
    )  # fmt: skip


def trained(changes: dict[int, float], learning_rate: float = 0.001) -> TrainingResult:
    return TrainingResult(
        steps=[Step(passage_id=id_, change=change) for id_, change in changes.items()],
        control=[Step(passage_id=90, change=0.1)],
        probability=BEFORE,
        settings=SETTINGS | {"learning_rate": learning_rate},
        timings={},
    )


@pytest.mark.parametrize(
    ("trainings", "passages", "mean"),
    [
        # Ten rows of +12 points, then somebody steps on another passage: it said “+1 on average” under the ten.
        ([trained(dict.fromkeys(range(1, 11), 12.0)), trained({77: 1.0})], 10, 12.0),
        # Rows measured in two goes count together.
        ([trained({1: 10.0, 2: 10.0}), trained({3: 4.0, 4: 4.0, 77: 90.0})], 4, 7.0),
        # The last go re-measured rows that are shown, among others that are not.
        ([trained({1: 10.0}), trained({78: -5.0, 2: 20.0})], 2, 15.0),
    ],
)
def test_the_summary_is_of_the_rows_on_the_page(
    trainings: list[TrainingResult], passages: int, mean: float
) -> None:
    shown = list(range(1, 11))
    evidence = evidence_of_trace(traced(shown), "blue", alike(trainings), {})
    lane = next(each for each in evidence.lanes if each.name == FOR)
    assert {dot.passage_id for dot in lane.dots} <= set(shown)
    assert len(lane.dots) == passages
    measured = re.search(r"moves “blue” up by (\d+) points on average", evidence.verdict)
    assert measured is not None, evidence.verdict
    assert float(measured[1]) == pytest.approx(mean, abs=0.5)


def test_another_page_of_rows_has_another_summary() -> None:
    """The same steps under two lists: each list's own passages are what is said over it."""
    steps = {1: 12.0, 2: 10.0, 3: -4.0, 4: -6.0}
    first, second = (
        evidence_of_trace(traced(rows), "blue", [trained(steps)], {}).verdict for rows in ([1, 2], [3, 4])
    )
    assert "up by 11 points" in first
    assert "down by 5 points" in second


def test_steps_of_another_learning_rate_are_no_part_of_it() -> None:
    evidence = evidence_of_trace(
        traced([1, 2]), "blue", alike([trained({1: 50.0}, 0.1), trained({2: 6.0})]), {}
    )
    assert "moves “blue” up by 6 points" in evidence.verdict


def test_what_was_measured_without_being_asked_is_summed_up_by_lane() -> None:
    taken = StepsOf(
        BEFORE,
        {FOR: [SteppedPassage(1, 0.45)], RANDOM: [SteppedPassage(90, 0.26), SteppedPassage(91, 0.24)]},
        SETTINGS,
    )
    evidence = evidence_of_trace(traced([1, 2]), "blue", unasked(taken), {})
    assert "moves “blue” up by 20 points" in evidence.verdict
    assert "Two random passages move it by less than 0.1 points" in evidence.verdict
