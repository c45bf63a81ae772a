"""Runs become curves: each training its own, and every axis in its own order."""

import re

import pytest

from app.evaluation.curves import ordered, over_mixing, over_size, over_switch, over_training
from app.store.tables import Model, Run
from app.web.judging.evaluation_lines import along, apart
from app.words.methods import TRACKSTAR, method_of

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


def test_lambda_is_told_apart_by_what_its_hessians_are_damped_by() -> None:
    """A run at another damping stood on the curve of the others, as if λ had moved it."""
    runs = [run(n, "trackstar", "one", mixing=value) for n, value in enumerate((0.0, 0.5, 0.9, 0.2))]
    for each, damping in zip(runs, (0.001, 0.001, 0.001, 1.0), strict=True):
        each.configuration["method"] = {**each.configuration["method"], "damping": damping}
    (curve,) = over_mixing(runs)
    assert [(value, curve.of) for value, _, _ in curve.points] == [(0.0, ""), (0.5, ""), (0.9, "")]


def test_lambda_is_in_order_over_several_models() -> None:
    runs = [run(n, "trackstar", "one", mixing=value) for n, value in enumerate((0.0, 0.5, 0.9))]
    runs += [run(n, "trackstar", "two", mixing=value) for n, value in enumerate((0.0, 0.1, 0.9), 3)]
    figure = along(over_mixing(runs), {each.id: FOUND for each in runs}, "fact", "mrr", "λ")
    assert figure is not None
    assert [key.label for key in figure.keys] == ["TrackStar, one", "TrackStar, two"]
    assert axis_of(str(figure.svg)) == ["0", "0.1", "0.5", "0.9"]


def switched(id_: int, method: str = "trackstar", *, model: str = "one", **switches: object) -> Run:
    made = run(id_, method, model, mixing=0.0)
    made.configuration["method"] |= {
        "groups": 2,
        "projection_dim": 32,
        "damping": 1e-3,
        "seed": 0,
        **switches,
    }
    made.configuration["hessian"]["rows_train"] = 2_000
    return made


def test_a_switch_is_drawn_over_runs_that_differ_in_nothing_else() -> None:
    """A run of another damping is no point of the curve over d, nor is one that lacks V or mixes in R_eval."""
    runs = [switched(0, "+V+R_train"), switched(1), switched(2, "trackstar-d-1024", projection_dim=16)]
    runs += [
        switched(3, "trackstar-d-16384", projection_dim=64),
        switched(4, "trackstar-damping-1", damping=1.0),
    ]
    runs += [switched(5, "+R_train", second_moments="none"), switched(6, "trackstar+ekfac", projection_dim=8)]
    runs += [run(7, "trackstar", "one", mixing=0.5), run(8, "bm25", "one")]
    [d], [damping] = over_switch(runs, "d"), over_switch(runs, "damping")
    assert [(place, each.id) for _, place, each in d.points] == [("1,024", 2), ("4,096", 0), ("16,384", 3)]
    assert [(place, each.id) for _, place, each in damping.points] == [("0.001", 0), ("1", 4)]
    assert over_switch(runs, "seed") == []
    assert over_mixing([switched(9, "trackstar-d-1024"), *runs]) == [], "they are no points over λ"


def test_an_axis_of_numbers_is_logarithmic_and_says_where_r_had_too_few_passages() -> None:
    runs = [switched(at, "+V+R_train", projection_dim=side) for at, side in enumerate((8, 16, 64))]
    figure = along(over_switch(runs, "d"), {each.id: FOUND for each in runs}, "fact", "mrr", "d")
    assert figure is not None
    assert axis_of(str(figure.svg)) == ["256", "1,024", "16,384"]
    assert method_of(TRACKSTAR).css in str(figure.keys[0].swatch), (
        "though the first point's run is +V+R_train"
    )
    at = [
        float(x) for x in re.findall(r'class="tick" x="([\d.]+)"[^>]*text-anchor="middle"', str(figure.svg))
    ]
    assert (at[2] - at[1]) / (at[1] - at[0]) == pytest.approx(2, abs=0.01), "two steps of four beside one"
    assert "At d = 16,384 R was fitted on fewer passages" in figure.note


def test_projections_are_told_apart_beside_the_interval_of_one() -> None:
    runs = [switched(at, "trackstar", seed=at) for at in range(3)]
    figures = {
        each.id: {"overall": {"mrr": {"mean": 0.5 + each.id / 100, "low": 0.4, "high": 0.6, "count": 3}}}
        for each in runs
    }
    figure = apart(over_switch(runs, "seed"), figures, "fact", "mrr", "seed")
    assert figure is not None
    assert (
        "3 of them lie 0.02 apart, the highest less the lowest; the 95% interval of one is 0.2 wide"
        in figure.note
    )
    assert [row[:3] for row in figure.rows] == [
        ["TrackStar", "0", 0.5], ["TrackStar", "1", 0.51], ["TrackStar", "2", 0.52],
    ]  # fmt: skip
    assert apart(over_switch(runs[:1], "seed"), figures, "fact", "mrr", "seed") is None


def test_curves_of_two_settings_are_called_by_what_differs() -> None:
    runs = [switched(0), switched(1, projection_dim=16)]
    runs += [switched(2, damping=0.1), switched(3, projection_dim=16, damping=0.1)]
    assert [each.of for each in over_switch(runs, "d")] == ["damping 0.001", "damping 0.1"]
    assert [each.of for each in over_switch([*runs, *runs], "damping")] == ["p = 32", "p = 16"]


def test_points_stand_behind_their_method_curve_by_curve() -> None:
    names = [
        "trackstar-seed-1",
        "trackstar-d-1024",
        "trackstar-0.5",
        "trackstar-d-256",
        "trackstar",
        "bm25",
        "trackstar-0.1",
    ]
    runs = [switched(at, name) for at, name in enumerate(names)]
    assert [each.method for each in ordered(runs)] == [
        "bm25", "trackstar", "trackstar-0.1", "trackstar-0.5", "trackstar-d-256", "trackstar-d-1024", "trackstar-seed-1",
    ]  # fmt: skip
