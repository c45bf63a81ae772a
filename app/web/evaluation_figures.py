"""The charts of the evaluation pages, each with its table: from runs and their saved figures. Pure."""

from collections.abc import Sequence
from typing import Any

from app.evaluation.curves import Curve, is_swept, over_mixing, over_size, over_training
from app.evaluation.measures import LABELS
from app.evaluation.types import KINDS
from app.store.tables import Run
from app.web import charts, urls
from app.web.cards import KINDS as KIND_NAMES
from app.web.figures import Asked, Figure, Key, Value, behind, estimate_row
from app.web.listing_words import bucket_name, label

Evaluated = tuple[Run, dict[str, Any]]
CURVES = ("mrr", "tail_patch_10")
SLICES = {
    "bucket": "frequency in the corpus",
    "relation": "relation",
    "right": "the model’s answer",
    "confidence": "the model’s confidence",
}
_POINTS = "percentage points"


def of_runs(
    runs: Sequence[Evaluated], chosen: Sequence[Evaluated], every: Sequence[Evaluated], asked: Asked
) -> list[Figure]:
    """Every figure there are numbers for.

    Args:
        runs: those of the page's table.
        chosen: the runs that charts with one series a run show; few enough to be read.
        every: the runs of all models, for curves over models.
    """
    made: list[Figure | None] = [trade(runs, asked)]
    mixing = over_mixing([run for run, _ in runs])
    made += [along(mixing, dict_of(runs), asked.task, measure, "λ") for measure in CURVES]
    for curves, axis in ((over_training, "training steps"), (over_size, "parameters")):
        found = curves([run for run, _ in every])
        made += [along(found, dict_of(every), asked.task, measure, axis) for measure in CURVES]
    made += [by_slice(chosen, asked, measure) for measure in CURVES]
    made += [types(each, asked.task) for each in chosen]
    return [each for each in made if each]


def dict_of(runs: Sequence[Evaluated]) -> dict[int, dict[str, Any]]:
    """Figures by run id."""
    return {run.id: figures for run, figures in runs}


def distinct_names(runs: Sequence[Run]) -> dict[int, str]:
    """What charts call runs, by id: their names, with the name in URLs where two are called the same."""
    names = [run.name for run in runs]
    return {run.id: run.name if names.count(run.name) == 1 else f"{run.name} ({run.slug})" for run in runs}


def trade(runs: Sequence[Evaluated], asked: Asked) -> Figure | None:
    """Attribution against influence, one point a run."""
    shown = [
        (run, x, y)
        for run, figures in runs
        if not is_swept(run)
        and (x := figures["overall"].get("mrr"))
        and (y := figures["overall"].get("tail_patch_10"))
    ]
    if not shown:
        return None
    title = "Attribution against influence"
    points = [
        charts.Point(run.name, x["mean"], y["mean"], (x["low"], x["high"]), (y["low"], y["high"]))
        for run, x, y in shown
    ]
    rows: list[list[Value]] = []
    links: list[list[str]] = []
    for number, (run, x, y) in enumerate(shown):
        head: list[Value] = [charts.letter(number), run.name]
        rows.append([*head, *(each[part] for each in (x, y) for part in ("mean", "low", "high"))])
        urls_of = [behind(run, asked.task, name) for name in ("mrr", "tail_patch_10")]
        links.append(["", urls.run(run.slug), urls_of[0], "", "", urls_of[1], "", ""])
    return Figure(
        id="attribution-influence",
        title=title,
        note="To the right, passages that state the fact come first. Up, passages move the model. Crosses are 95% intervals.",
        columns=["mark", "run", "MRR", "low", "high", "tail-patch@10 (pp)", "low", "high"],
        rows=rows,
        links=links,
        keys=[
            Key(label=run.name, url=urls.run(run.slug), swatch=charts.letter_swatch(number))
            for number, (run, _, _) in enumerate(shown)
        ],
        svg=charts.scatter(
            points,
            x_label="MRR: passages state the fact",
            y_label=f"tail-patch@10, {_POINTS}",
            name="attribution-influence",
            title=title,
        ),
    )


def by_slice(runs: Sequence[Evaluated], asked: Asked, measure: str) -> Figure | None:
    """A measure over the values of a slice, one series a run."""
    series: dict[str, list[tuple[str, float, charts.Interval | None]]] = {}
    rows, links, order = [], [], {}
    names = distinct_names([run for run, _ in runs])
    for run, figures in runs:
        for value, measured in figures["slices"].get(asked.by, {}).items():
            if found := measured.get(measure):
                name = bucket_name(value) if asked.by == "bucket" else label(asked.by, value)
                place = _count(value) if asked.by == "bucket" else name
                series.setdefault(names[run.id], []).append(
                    (place, found["mean"], (found["low"], found["high"]))
                )
                order[place] = int(value) if asked.by == "bucket" and value.lstrip("-").isdigit() else 0
                row, link = estimate_row(
                    [names[run.id], name], found, behind(run, asked.task, measure, **{asked.by: value})
                )
                rows.append(row)
                links.append(link)
    if not rows:
        return None
    id_ = f"{measure}-by-{asked.by}"
    title = f"{LABELS[measure]} by {SLICES[asked.by]}"
    y_label = f"{LABELS[measure]}, {_POINTS}" if measure.startswith("tail_patch") else LABELS[measure]
    if asked.by == "bucket":
        svg = charts.lines(
            series,
            x_label="passages that state it",
            y_label=y_label,
            name=id_,
            title=title,
            order=sorted(order, key=order.__getitem__),
        )
    else:
        svg = charts.dots(series, x_label=y_label, name=id_, title=title)
    return Figure(
        id=id_,
        title=title,
        note="Means with 95% intervals over the prompts of each part.",
        columns=["run", SLICES[asked.by], LABELS[measure], "low", "high", "prompts"],
        rows=rows,
        links=links,
        keys=[
            Key(label=names[run.id], url=urls.run(run.slug), swatch=charts.line_swatch(number))
            for number, run in enumerate(run for run, _ in runs if names[run.id] in series)
        ],
        svg=svg,
    )


def types(evaluated: Evaluated, task: str) -> Figure | None:
    """What the passages of a run have to do with the fact, rank by rank."""
    run, figures = evaluated
    ranks: list[dict[str, int]] = figures.get("types") or []
    if not ranks:
        return None
    id_ = f"types-{run.id}"
    title = f"Types of passages: {run.name}"
    bars = [
        (str(rank), {KIND_NAMES[kind]: float(counts.get(kind, 0)) for kind in KINDS})
        for rank, counts in enumerate(ranks, 1)
    ]
    return Figure(
        id=id_,
        title=title,
        note=_rules_said(run),
        columns=["rank", *(KIND_NAMES[kind] for kind in KINDS)],
        rows=[[rank, *(counts.get(kind, 0) for kind in KINDS)] for rank, counts in enumerate(ranks, 1)],
        links=[
            ["", *(_of_kind(run, task, kind, rank) if counts.get(kind) else "" for kind in KINDS)]
            for rank, counts in enumerate(ranks, 1)
        ],
        keys=[
            Key(label=KIND_NAMES[kind], swatch=charts.part_swatch(at, id_)) for at, kind in enumerate(KINDS)
        ],
        svg=charts.stacked_bars(bars, x_label="rank", name=id_, title=title),
    )


def along(
    curves: Sequence[Curve], figures: dict[int, dict[str, Any]], task: str, measure: str, axis: str
) -> Figure | None:
    """A measure along an axis on which runs of one method differ, one line a method."""
    series: dict[str, list[tuple[str, float, charts.Interval | None]]] = {}
    rows, links = [], []
    for curve in curves:
        for place, run in curve.points:
            if found := figures[run.id]["overall"].get(measure):
                series.setdefault(curve.name, []).append(
                    (place, found["mean"], (found["low"], found["high"]))
                )
                row, link = estimate_row([curve.name, place], found, behind(run, task, measure))
                rows.append(row)
                links.append(link)
    if not rows:
        return None
    id_ = f"{measure}-over-{axis.replace(' ', '-').replace('λ', 'lambda')}"
    title = f"{LABELS[measure]} over {axis}"
    y_label = f"{LABELS[measure]}, {_POINTS}" if measure.startswith("tail_patch") else LABELS[measure]
    return Figure(
        id=id_,
        title=title,
        note=_NOTES[axis],
        columns=["method", axis, LABELS[measure], "low", "high", "prompts"],
        rows=rows,
        links=links,
        keys=[Key(label=name, swatch=charts.line_swatch(at)) for at, name in enumerate(series)],
        svg=charts.lines(series, x_label=axis, y_label=y_label, name=id_, title=title),
    )


_NOTES = {
    "λ": "λ weighs the task’s Hessian against the corpus’s: 0 is the corpus alone, 1 the task alone.",
    "training steps": "The same evaluation over the checkpoints of one pretraining run.",
    "parameters": "The same evaluation over models of different sizes.",
}


def _count(bucket: str) -> str:
    """A frequency bucket as an axis has room for: `0`, `1`, `2–3`, `4–7`."""
    number = int(bucket) if bucket.lstrip("-").isdigit() else 0
    low, high = (1 << number) >> 1, (1 << number) - 1 if number > 0 else 0
    return f"{low:,}" if low >= high else f"{low:,}–{high:,}"


def _rules_said(run: Run) -> str:
    rules = run.metrics.get("types_by") or {}
    exact, words = rules.get("exact", 0), rules.get("by words", 0)
    if exact and not words:
        return "By exact rules: the corpus knows what each of its passages states."
    if exact:
        return (
            f"{exact:,} passages by exact rules (the corpus knows what they state), {words:,} by their words."
        )
    return "By the words of passages; that one states the fact is taken from ground truth or the file."


def _of_kind(run: Run, task: str, kind: str, rank: int) -> str:
    return urls.evaluation_prompts(run=run.slug, task=task, kind=kind, rank=rank)
