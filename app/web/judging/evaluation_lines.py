"""The charts of the evaluation that draw one line for each run or method, each with its table. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.evaluation.curves import Curve, fitted_on_too_few
from app.evaluation.text_tables import settings_said, steps_said
from app.store.prompts import buckets_are_counts
from app.store.tables import Run
from app.web.judging import charts
from app.web.judging.figures import (
    EvaluationQuery,
    Figure,
    LegendKey,
    Value,
    estimate_row,
    figure_prompts_url,
)
from app.web.site import urls
from app.words.measures import DEPTHS, LABELS, POINTS, in_points, measure_name
from app.words.methods import method_label, method_of
from app.words.slices import EVALUATED, FREQUENCY, bucket_number, bucket_range, value_name

Evaluated = tuple[Run, dict[str, Any]]
Valued = tuple[str, float, charts.Interval | None]  # place, mean, interval
_NOTES = {
    "λ": "λ weighs the task’s Hessian against the corpus’s: 0 is the corpus alone, 1 the task alone.",
    "d": "d is how many numbers a passage’s encoding has: an index grows with it. λ = 0.",
    "damping": "Damping is added to R, as a share of its mean eigenvalue: the more, the less R whitens. λ = 0.",
    "seed": "Each seed draws a projection of its own; all else is the same.",
    "training steps": "The same evaluation over the checkpoints of one pretraining run.",
    "parameters": "The same evaluation over models of different sizes.",
}
_LOGARITHMIC = ("d", "damping")


@dataclass
class LineChart:
    """Lines, and the same numbers as rows with the links behind them."""

    measure: str
    series: dict[str, list[Valued]] = field(default_factory=dict)
    rows: list[list[Value]] = field(default_factory=list)
    links: list[list[str]] = field(default_factory=list)
    runs: dict[int, Run] = field(default_factory=dict)
    drawn: dict[str, Run] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, place: str, said: str, found: dict[str, Any], run: Run, url: str, method: str = ""
    ) -> None:
        """One point of the line `name`: at `place` in the chart, called `said` in the table; `method` is the line's, where
        its runs are of several."""
        self.series.setdefault(name, []).append((place, found["mean"], (found["low"], found["high"])))
        row, link = estimate_row([name, said], found, url)
        self.rows.append(row)
        self.links.append(link)
        self.runs[run.id] = run
        self.drawn.setdefault(name, run)
        self.methods.setdefault(name, method or run.method)

    @property
    def y_label(self) -> str:
        """The measure with its unit."""
        name = measure_name(self.measure)
        return f"{name}, {POINTS}" if in_points(self.measure) else name

    def note(self, said: str) -> str:
        """What is said below the title: no tail-patch without the step it is of."""
        return f"{said} {after(self.runs.values())}" if in_points(self.measure) else said

    @property
    def colours(self) -> dict[str, str]:
        """Of each line, that of its method."""
        return {name: method_of(method).css for name, method in self.methods.items()}

    def keys(self, *, linked: bool = True) -> list[LegendKey]:
        """One entry a line; of lines that are one run each, with a link to it."""
        return [
            LegendKey(
                label=name,
                url=urls.run(run.slug) if linked else None,
                swatch=charts.line_swatch(at, self.colours[name]),
            )
            for at, (name, run) in enumerate(self.drawn.items())
        ]


def distinct_names(runs: Sequence[Run]) -> dict[int, str]:
    """What charts call runs, by id: their names, with the name in URLs where two are called the same."""
    names = [run.name for run in runs]
    return {run.id: run.name if names.count(run.name) == 1 else f"{run.name} ({run.slug})" for run in runs}


def patched_by(runs: Iterable[Run], figures: Iterable[dict[str, Any]] = ()) -> str:
    """What tail-patch is and by which step the runs' were measured; empty if none was."""
    return settings_said(_settings(runs), figures)


def after(runs: Iterable[Run]) -> str:
    """The step alone, for a chart's note."""
    steps = steps_said(_settings(runs))
    return f"After {steps}." if steps else ""


def _settings(runs: Iterable[Run]) -> dict[str, dict[str, Any] | None]:
    known = list(runs)
    names = distinct_names(known)
    return {names[run.id]: run.metrics.get("tail_patch_settings") for run in known}


def by_slice(runs: Sequence[Evaluated], asked: EvaluationQuery, measure: str) -> Figure | None:
    """A measure over the values of a slice, one series a run."""
    drawing, order, parts = LineChart(measure), {}, EVALUATED[asked.by]
    names = distinct_names([run for run, _ in runs])
    counted = all(buckets_are_counts(run.prompt_set) for run, _ in runs)
    for run, figures in runs:
        for value, measured in figures["slices"].get(asked.by, {}).items():
            if found := measured.get(measure):
                bucket = parts == FREQUENCY
                name = value_name(parts, value, counts=counted)
                place = bucket_range(value) if bucket and counted else name
                order[place] = bucket_number(value) if bucket else 0
                url = figure_prompts_url(run, asked.task, measure, **{asked.by: value})
                drawing.add(names[run.id], place, name, found, run, url)
    if not drawing.rows:
        return None
    id_, title = f"{measure}-by-{asked.by}", f"{LABELS[measure]} by {parts.way}"
    if parts == FREQUENCY:
        svg = charts.lines(
            drawing.series,
            drawing.colours,
            x_label="passages that state it",
            y_label=drawing.y_label,
            name=id_,
            title=title,
            order=sorted(order, key=order.__getitem__),
        )
    else:
        svg = charts.dots(drawing.series, drawing.colours, x_label=drawing.y_label, name=id_, title=title)
    return Figure(
        id=id_,
        title=title,
        note=drawing.note("Means with 95% intervals over the prompts of each part."),
        columns=["run", parts.way, LABELS[measure], "low", "high", "prompts"],
        rows=drawing.rows,
        links=drawing.links,
        keys=drawing.keys(),
        svg=svg,
    )


def by_depth(runs: Sequence[Evaluated], asked: EvaluationQuery, measure: str) -> Figure | None:
    """A measure over how many of the first passages it looks at, one series a run.

    Args:
        measure: `recall_at`, `precision_at` or `tail_patch`.
    """
    drawing = LineChart(measure)
    names = distinct_names([run for run, _ in runs])
    for run, figures in runs:
        for k in DEPTHS:
            if found := figures["overall"].get(f"{measure}_{k}"):
                url = figure_prompts_url(run, asked.task, f"{measure}_{k}")
                drawing.add(names[run.id], str(k), str(k), found, run, url)
    if not drawing.rows:
        return None
    id_, title = f"{measure}-by-depth", f"{measure_name(measure)} for the first k passages"
    return Figure(
        id=id_,
        title=title,
        note=drawing.note("Means with 95% intervals over the prompts."),
        columns=["run", "k", measure_name(measure), "low", "high", "prompts"],
        rows=drawing.rows,
        links=drawing.links,
        keys=drawing.keys(),
        svg=charts.lines(
            drawing.series, drawing.colours, x_label="k", y_label=drawing.y_label, name=id_, title=title
        ),
    )


def along(
    curves: Sequence[Curve], figures: dict[int, dict[str, Any]], task: str, measure: str, axis: str
) -> Figure | None:
    """A measure along an axis on which runs of one method differ, one line a method (and model, where several are)."""
    drawing, order = _drawn(curves, figures, task, measure)
    if not drawing.rows:
        return None
    id_ = f"{measure}-over-{axis.replace(' ', '-').replace('λ', 'lambda')}"
    title = f"{LABELS[measure]} over {axis}"
    logarithmic = axis in _LOGARITHMIC
    return Figure(
        id=id_,
        title=title,
        note=drawing.note(" ".join(filter(None, (_NOTES[axis], _thin(curves, drawing, axis))))),
        columns=["method", axis, LABELS[measure], "low", "high", "prompts"],
        rows=drawing.rows,
        links=drawing.links,
        keys=drawing.keys(linked=False),
        svg=charts.lines(
            drawing.series,
            drawing.colours,
            x_label=f"{axis}, logarithmic" if logarithmic else axis,
            y_label=drawing.y_label,
            name=id_,
            title=title,
            order=sorted(order, key=order.__getitem__),
            numbers=order if logarithmic else None,
        ),
    )


def apart(
    curves: Sequence[Curve], figures: dict[int, dict[str, Any]], task: str, measure: str, axis: str
) -> Figure | None:
    """How far a measure lies apart where nothing but the draw differs, beside the interval of a single one."""
    drawing, _ = _drawn(curves, figures, task, measure)
    spread = [_spread(name, values, drawing) for name, values in drawing.series.items() if len(values) > 1]
    if not spread:
        return None
    id_, title = f"{measure}-by-{axis}", f"{LABELS[measure]} by {axis} of the projection"
    return Figure(
        id=id_,
        title=title,
        note=drawing.note(" ".join(filter(None, (_NOTES[axis], *spread, _thin(curves, drawing, axis))))),
        columns=["method", axis, LABELS[measure], "low", "high", "prompts"],
        rows=drawing.rows,
        links=drawing.links,
        keys=drawing.keys(linked=False),
        svg=charts.dots(
            {
                name: [(f"{axis} {at}", mean, own) for at, mean, own in each]
                for name, each in drawing.series.items()
            },
            drawing.colours,
            x_label=drawing.y_label,
            name=id_,
            title=title,
            near=True,
        ),
    )


def _drawn(
    curves: Sequence[Curve], figures: dict[int, dict[str, Any]], task: str, measure: str
) -> tuple[LineChart, dict[str, float]]:
    """One line a curve, and where its places lie on the axis."""
    drawing, order = LineChart(measure), {}
    for curve in curves:
        name = ", ".join(filter(None, (method_label(curve.name), curve.of)))
        for at, place, run in curve.points:
            if found := figures[run.id]["overall"].get(measure):
                order[place] = at
                url = figure_prompts_url(run, task, measure)
                drawing.add(name, place, place, found, run, url, curve.name)
    return drawing, order


def _spread(name: str, values: Sequence[Valued], drawing: LineChart) -> str:
    means = [mean for _, mean, _ in values]
    widths = [interval[1] - interval[0] for _, _, interval in values if interval]
    unit = f" {POINTS}" if in_points(drawing.measure) else ""
    whose = f"{name}: " if len(drawing.series) > 1 else ""
    return (
        f"{whose}{len(values)} of them lie {max(means) - min(means):.3g}{unit} apart, the highest less the lowest; the 95%"
        f" interval of one is {sum(widths) / len(widths):.3g}{unit} wide."
    )


def _thin(curves: Sequence[Curve], drawing: LineChart, axis: str) -> str:
    """Where R had too few passages to be fitted on."""
    drawn = [(place, run) for curve in curves for _, place, run in curve.points if run.id in drawing.runs]
    short = [place for place, run in drawn if fitted_on_too_few(run)]
    if not short:
        return ""
    where = f"At {axis} = {' and '.join(dict.fromkeys(short))} " if len(short) < len(drawn) else ""
    return f"{where}R was fitted on fewer passages than a block of it has numbers: what it whitens is noise in part."
