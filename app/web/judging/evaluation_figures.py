"""The charts of the evaluation pages, each with its table: from runs and their saved figures. Pure."""

from collections.abc import Sequence
from typing import Any

from app.evaluation.curves import over_mixing, over_size, over_switch, over_training
from app.web.judging import charts
from app.web.judging.evaluation_lines import Evaluated, after, along, apart, by_depth, by_slice
from app.web.judging.evaluation_types import types, types_by_answer
from app.web.judging.figures import EvaluationQuery, Figure, LegendKey, Value, figure_prompts_url
from app.web.site import urls
from app.words.measures import BY_DEPTH, MAIN, POINTS
from app.words.methods import is_swept, method_of


def of_runs(
    runs: Sequence[Evaluated], chosen: Sequence[Evaluated], every: Sequence[Evaluated], asked: EvaluationQuery
) -> list[Figure]:
    """Every figure there are numbers for.

    Args:
        runs: those of the page's table.
        chosen: the runs that charts with one series a run show; few enough to be read.
        every: the runs of all models, for curves over models.
    """
    made: list[Figure | None] = [trade(runs, asked)]
    mixing = over_mixing([run for run, _ in runs])
    made += [along(mixing, dict_of(runs), asked.task, measure, "λ") for measure in MAIN]
    for axis, drawn in (("d", along), ("damping", along), ("seed", apart)):
        switched = over_switch((run for run, _ in runs), axis)
        made += [drawn(switched, dict_of(runs), asked.task, measure, axis) for measure in MAIN]
    for curves, axis in ((over_training, "training steps"), (over_size, "parameters")):
        found = curves([run for run, _ in every])
        made += [along(found, dict_of(every), asked.task, measure, axis) for measure in MAIN]
    return [each for each in made if each] + of_chosen(chosen, asked)


def of_chosen(chosen: Sequence[Evaluated], asked: EvaluationQuery) -> list[Figure]:
    """The figures that can be drawn of one run as well as of several: by slice, by depth, types by answer and by rank."""
    made = [by_slice(chosen, asked, measure) for measure in MAIN]
    made += [by_depth(chosen, asked, measure) for measure in BY_DEPTH]
    made += [types_by_answer(chosen, asked.task), *(types(each, asked.task) for each in chosen)]
    return [each for each in made if each]


def dict_of(runs: Sequence[Evaluated]) -> dict[int, dict[str, Any]]:
    """Figures by run id."""
    return {run.id: figures for run, figures in runs}


def trade(runs: Sequence[Evaluated], asked: EvaluationQuery) -> Figure | None:
    """Attribution against influence, one point a run."""
    shown = [
        (run, x, y)
        for run, figures in runs
        if not is_swept(run.method)
        and (x := figures["overall"].get("mrr"))
        and (y := figures["overall"].get("tail_patch_10"))
    ]
    if not shown:
        return None
    title = "Attribution against influence"
    points = [
        charts.Point(
            run.name,
            method_of(run.method).css,
            x["mean"],
            y["mean"],
            (x["low"], x["high"]),
            (y["low"], y["high"]),
        )
        for run, x, y in shown
    ]
    rows: list[list[Value]] = []
    links: list[list[str]] = []
    for number, (run, x, y) in enumerate(shown):
        head: list[Value] = [charts.letter(number), run.name]
        rows.append([*head, *(each[part] for each in (x, y) for part in ("mean", "low", "high"))])
        urls_of = [figure_prompts_url(run, asked.task, name) for name in ("mrr", "tail_patch_10")]
        links.append(["", urls.run(run.slug), urls_of[0], "", "", urls_of[1], "", ""])
    return Figure(
        id="attribution-influence",
        title=title,
        note="To the right, passages that state the fact come first. Up, passages move the model. Crosses are 95% intervals."
        f" {after([run for run, _, _ in shown])}",
        columns=["mark", "run", "MRR", "low", "high", "tail-patch@10 (pp)", "low", "high"],
        rows=rows,
        links=links,
        keys=[
            LegendKey(label=run.name, url=urls.run(run.slug), swatch=charts.letter_swatch(number))
            for number, (run, _, _) in enumerate(shown)
        ],
        svg=charts.scatter(
            points,
            x_label="MRR: passages state the fact",
            y_label=f"tail-patch@10, {POINTS}",
            name="attribution-influence",
            title=title,
        ),
    )
