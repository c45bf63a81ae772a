"""Runs become curves: each training its own, and every axis in its own order."""

import re

from app.evaluation.curves import over_mixing, over_size, over_training
from app.store.tables import Model, Run
from app.web.judging.evaluation_lines import along

FOUND = {"overall": {"mrr": {"mean": 0.5, "low": 0.4, "high": 0.6, "count": 3}}}


def run(id_: int, method: str, model: str, parameters: int = 1_000, mixing: float | None = None) -> Run:
    configuration = {
        "method": {"second_moments": "factored", "unit_norm": True},
        "hessian": {"mixing": mixing},
    }
    return Run(id=id_, slug=f"run-{id_}", name=f"run-{id_}", method=method, metrics={}, configuration=configuration,
               model=Model(name=model, parameters=parameters))  # fmt: skip


def axis_of(svg: str) -> list[str]:
    return re.findall(r'class="tick"[^>]*text-anchor="middle">([^<]*)<', svg)


def test_two_trainings_of_one_method_are_two_lines() -> None:
    """They were one line that went through both: up to the end of the first and back to the start of the second."""
    runs = [run(n, "trackstar", name) for n, name in enumerate(("a-step-10", "a", "b-step-20", "b"))]
    figure = along(over_training(runs), {each.id: FOUND for each in runs}, "fact", "mrr", "training steps")
    assert figure is not None
    assert [key.label for key in figure.keys] == ["TrackStar, a", "TrackStar, b"]
    assert [row[:2] for row in figure.rows] == [
        ["TrackStar, a", "10"], ["TrackStar, a", "final"], ["TrackStar, b", "20"], ["TrackStar, b", "final"],
    ]  # fmt: skip
    assert axis_of(str(figure.svg)) == ["10", "20", "final"]


def test_an_axis_is_in_order_though_the_first_line_lacks_a_point() -> None:
    sizes = [("bm25", "small", 1_000), ("bm25", "large", 3_000)]
    sizes += [("trackstar", "small", 1_000), ("trackstar", "middle", 2_000), ("trackstar", "large", 3_000)]
    runs = [run(n, *each) for n, each in enumerate(sizes)]
    figure = along(over_size(runs), {each.id: FOUND for each in runs}, "fact", "mrr", "parameters")
    assert figure is not None
    assert axis_of(str(figure.svg)) == ["1K", "2K", "3K"]


def test_lambda_is_in_order_over_several_models() -> None:
    runs = [run(n, "trackstar", "one", mixing=value) for n, value in enumerate((0.0, 0.5, 0.9))]
    runs += [run(n, "trackstar", "two", mixing=value) for n, value in enumerate((0.0, 0.1, 0.9), 3)]
    figure = along(over_mixing(runs), {each.id: FOUND for each in runs}, "fact", "mrr", "λ")
    assert figure is not None
    assert [key.label for key in figure.keys] == ["TrackStar, one", "TrackStar, two"]
    assert axis_of(str(figure.svg)) == ["0", "0.1", "0.5", "0.9"]
