"""Types of passages are shown apart for prompts that the model answers right and wrong, or it is said why not."""

from typing import Any

import pytest

from app.evaluation.judged import Judged
from app.evaluation.report import task_figures
from app.evaluation.shares import Shares
from app.store.tables import Run
from app.web.judging.evaluation_types import types_by_answer
from app.web.judging.figures import Figure
from app.words.passages import TYPES


def prompt(n: int, right: bool | None, kinds: list[str | None]) -> Judged:
    return Judged(n, "fact", right=right, kinds=kinds)


def figures_of(*prompts: Judged) -> dict[str, Any]:
    return task_figures(Shares.of(prompts), "fact")


def drawn(figures: dict[str, Any]) -> Figure:
    run = Run(id=1, slug="a", name="A & B", metrics={"types_by": {"exact": 1, "by words": 0}})
    found = types_by_answer([(run, figures)], "fact")
    assert found is not None
    return found


def test_shares_are_means_over_the_prompts_of_each_answer() -> None:
    """A prompt with few passages counts as much as any; a type that a file brought of its own is none of ours."""
    figures = figures_of(
        prompt(1, True, ["states", "states", "both", "none"]),
        prompt(2, True, ["states", "own word"]),
        prompt(3, False, [*["relation"] * 5, *["target"] * 5, "states"]),
        prompt(4, False, []),
        prompt(5, None, ["name"]),
    )
    found = drawn(figures)
    rows = {str(row[1]): dict(zip(TYPES, row[3:], strict=True)) for row in found.rows}
    usual = dict.fromkeys(TYPES, 0.0)
    assert rows == {
        "right": pytest.approx({**usual, "states": 0.75, "both": 0.125, "none": 0.125}),
        "wrong": pytest.approx({**usual, "relation": 0.5, "target": 0.5}),
    }
    assert [row[2] for row in found.rows] == [2, 1], "prompts without passages are not counted"
    assert "A &amp; B, right (2): States the fact: 75%" in found.svg
    assert "right=no" in found.links[1][3]


@pytest.mark.parametrize(
    ("right", "told"), [(None, "startrail answers"), (True, "startrail evaluate does it")]
)
def test_where_shares_are_not_known_it_is_said_what_makes_them(right: bool | None, told: str) -> None:
    """The model was not asked; or the figures are from before there were such shares."""
    figures = figures_of(prompt(1, right, ["states"]))
    for part in figures["slices"]["right"].values():
        part.clear()
    found = drawn(figures)
    assert told in found.note
    assert (found.rows, found.keys, str(found.svg)) == ([], [], "")


def test_runs_without_types_have_no_such_chart() -> None:
    run = Run(id=1, slug="a", name="a", metrics={})
    assert types_by_answer([(run, figures_of(prompt(1, True, [None])))], "fact") is None
