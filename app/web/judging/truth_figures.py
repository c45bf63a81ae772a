"""The charts of `/truth`, each with its numbers. Pure."""

import numpy as np

from app.truth.agreement import agreement
from app.truth.calibration import NORMAL, Calibration
from app.truth.outcome import Outcome, TruthFigures, predicted_and_measured
from app.web.judging import charts
from app.web.judging.figures import Figure, LegendKey, Value
from app.web.site import urls
from app.words.methods import method_label, method_of

TENTHS = 10
FIFTHS = 5
DRAWN = 5  # methods that the first chart has room for
SPOKEN = 3  # prompts at least, for a relation to stand by itself


def foretold(outcome: Outcome, found: TruthFigures, page: str) -> Figure:
    """Predicted against measured: trainings and prompts in tenths of what a method predicted, and their mean margin."""
    drawn = [each.method for each in found.methods[: DRAWN - 1]] + [found.methods[-1].method]
    series = {method_label(method): _tenths(outcome, method) for method in drawn}
    return _figure(
        "foretold",
        "Predicted and measured",
        "From where a method predicted least to where it predicted most; up, the margin measured there, in standard"
        " deviations of each prompt. A method that foretells nothing is a flat line.",
        series,
        {method_label(method): method_of(method).css for method in drawn},
        "tenth of what was predicted",
        "measured",
        page,
    )


def groups_left_out(worth: Calibration, page: str) -> Figure:
    """Predicted against measured over groups that were left out: fifths of what was predicted, and their mean change."""
    order = np.argsort(worth.predicted, kind="stable")
    parts = [part for part in np.array_split(order, FIFTHS) if len(part)]
    predicted, measured = np.array(worth.predicted), np.array(worth.measured)
    values: list[tuple[str, float, charts.Interval | None]] = [
        (
            f"{predicted[part].mean():.2f}".replace("-", "−"),
            float(measured[part].mean()),
            _mean_interval(measured[part]),
        )
        for part in parts
    ]
    label = method_label(worth.method)
    return _figure(
        "worth",
        "Groups left out, predicted and measured",
        (
            f"{worth.groups} random halves and all prompts, each as it differs from its mean"
            if worth.halves
            else f"{worth.groups} random groups of {worth.sizes[0]} to {worth.sizes[1]} passages"
        )
        + ", in fifths of the change of log p that was predicted; up, the mean change measured, with its 95 % interval.",
        {label: values},
        {label: method_of(worth.method).css},
        "predicted change of log p",
        "measured",
        page,
    )


def _mean_interval(values: np.ndarray) -> charts.Interval | None:
    if len(values) < SPOKEN:
        return None
    half = NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return mean - half, mean + half


def by_relation(outcome: Outcome, found: TruthFigures, page: str) -> Figure:
    """LDS by what the prompts ask for."""
    relations = sorted({prompt["relation"] for prompt in outcome.prompts})
    places = {
        name or "other": [at for at, prompt in enumerate(outcome.prompts) if prompt["relation"] == name]
        for name in relations
    }
    kept = {name: own for name, own in places.items() if len(own) >= SPOKEN}
    series: dict[str, list[tuple[str, float, charts.Interval | None]]] = {}
    for each in found.methods:
        series[method_label(each.method)] = [
            (
                name,
                agreement({"": outcome.predicted[each.method][:, own]}, outcome.measured[:, own])[""],
                None,
            )
            for name, own in kept.items()
        ]
    return _figure(
        "relations",
        "LDS by what is asked",
        "How well each method foretells prompts of one kind of fact.",
        series,
        {method_label(each.method): method_of(each.method).css for each in found.methods},
        "relation",
        "LDS",
        page,
        ordered=False,
    )


def _tenths(outcome: Outcome, method: str) -> list[tuple[str, float, charts.Interval | None]]:
    predicted, measured = (values.ravel() for values in predicted_and_measured(outcome, method))
    parts = np.array_split(measured[np.argsort(predicted, kind="stable")], TENTHS)
    return [(str(at), float(part.mean()), None) for at, part in enumerate(parts, 1) if len(part)]


def _figure(
    name: str,
    title: str,
    note: str,
    series: dict[str, list[tuple[str, float, charts.Interval | None]]],
    colours: dict[str, str],
    across: str,
    up: str,
    page: str,
    *,
    ordered: bool = True,
) -> Figure:
    """A line a method over categories that have an order, else a row a category."""
    rows: list[list[Value]] = [
        [label, category, value] for label, values in series.items() for category, value, _ in values
    ]
    return Figure(
        id=name,
        title=title,
        note=note,
        columns=["method", across, up],
        rows=rows,
        links=[["", "", ""] for _ in rows],
        csv_url=urls.twin(page, "csv"),
        keys=[
            LegendKey(label=label, swatch=charts.line_swatch(number, colours[label]))
            for number, label in enumerate(series)
        ],
        svg=charts.lines(series, colours, x_label=across, y_label=up, name=name, title=title)
        if ordered
        else charts.dots(series, colours, x_label=up, name=name, title=title),
    )
