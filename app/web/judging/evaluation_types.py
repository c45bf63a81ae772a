"""The charts of what retrieved passages have to do with the fact, each with its table. Pure."""

from collections.abc import Sequence
from typing import Any

from app.evaluation.text_tables import rules_said
from app.store.tables import Run
from app.web.judging import charts
from app.web.judging.evaluation_lines import Evaluated, distinct_names
from app.web.judging.figures import Figure, LegendKey, Value, figure_prompts_url
from app.web.site import urls
from app.words.measures import TYPE_SHARES, TYPED_AT
from app.words.passages import TYPES
from app.words.slices import SLICES

ANSWER = SLICES["right"]


def types_by_answer(runs: Sequence[Evaluated], task: str) -> Figure | None:
    """What the first passages of runs have to do with the fact, apart for prompts answered right and wrong (the paper's
    Figure 3); where that is not known, the figure says why and has no numbers."""
    typed = [(run, figures) for run, figures in runs if figures.get("types")]
    if not typed:
        return None
    names, rows, links = distinct_names([run for run, _ in typed]), [], []
    groups: list[tuple[str, list[tuple[str, dict[str, float]]]]] = []
    for run, figures in typed:
        bars = []
        for value, said in ANSWER.values.items():
            found = _shares(figures, value)
            if not found:
                continue
            count = next(iter(found.values()))["count"]
            shares = {TYPES[kind]: each["mean"] for kind, each in found.items()}
            bars.append((f"{said} ({count:,})", shares))
            row: list[Value] = [names[run.id], said, count, *shares.values()]
            rows.append(row)
            own = [figure_prompts_url(run, task, TYPE_SHARES[kind], right=value) for kind in found]
            links.append(["", "", "", *own])
        if bars:
            groups.append((names[run.id], bars))
    id_, title = "types-by-answer", "Types of passages, where the model answers right and wrong"
    return Figure(
        id=id_,
        title=title,
        note=_note([run for run, _ in typed]) if rows else _missing([figures for _, figures in typed]),
        columns=["run", "answer", "prompts", *TYPES.values()],
        rows=rows,
        links=links,
        keys=_keys(id_) if rows else [],
        svg=charts.stacked_rows(groups, x_label=f"share of the first {TYPED_AT}", name=id_, title=title),
    )


def _shares(figures: dict[str, Any], value: str) -> dict[str, dict[str, Any]]:
    """The share of each type for the prompts of one answer; empty where there are none."""
    part = figures["slices"].get(ANSWER.by, {}).get(value, {})
    return {kind: part[name] for kind, name in TYPE_SHARES.items() if name in part}


def _note(runs: Sequence[Run]) -> str:
    rules = rules_said(run.metrics.get("types_by") for run in runs)
    return f"Shares of the first {TYPED_AT} passages, means over prompts (their number stands behind the answer). {rules}"


def _missing(figures: Sequence[dict[str, Any]]) -> str:
    if any(each["slices"].get(ANSWER.by) for each in figures):
        return "These runs were evaluated before types were parted: startrail evaluate does it."
    return (
        "Whether the model answers these prompts right is not known: startrail answers asks it,"
        " and startrail evaluate parts the types by it."
    )


def _keys(id_: str) -> list[LegendKey]:
    return [
        LegendKey(label=said, swatch=charts.part_swatch(at, id_)) for at, said in enumerate(TYPES.values())
    ]


def types(evaluated: Evaluated, task: str) -> Figure | None:
    """What the passages of a run have to do with the fact, rank by rank."""
    run, figures = evaluated
    ranks: list[dict[str, int]] = figures.get("types") or []
    if not ranks:
        return None
    id_ = f"types-{run.id}"
    title = f"Types of passages: {run.name}"
    bars = [
        (str(rank), {TYPES[kind]: float(counts.get(kind, 0)) for kind in TYPES})
        for rank, counts in enumerate(ranks, 1)
    ]
    return Figure(
        id=id_,
        title=title,
        note=rules_said([run.metrics.get("types_by")]),
        columns=["rank", *(TYPES[kind] for kind in TYPES)],
        rows=[[rank, *(counts.get(kind, 0) for kind in TYPES)] for rank, counts in enumerate(ranks, 1)],
        links=[
            ["", *(_of_kind(run, task, kind, rank) if counts.get(kind) else "" for kind in TYPES)]
            for rank, counts in enumerate(ranks, 1)
        ],
        keys=_keys(id_),
        svg=charts.stacked_bars(bars, x_label="rank", name=id_, title=title),
    )


def _of_kind(run: Run, task: str, kind: str, rank: int) -> str:
    return urls.evaluation_prompts(run=run.slug, task=task, kind=kind, rank=rank)
