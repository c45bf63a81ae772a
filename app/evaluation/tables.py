"""Figures as tables of text: for a terminal and for Markdown. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.evaluation.measures import LABELS

SHOWN = (
    "mrr",
    "recall_at_1",
    "recall_at_10",
    "precision_at_10",
    "average_precision",
    "tail_patch_1",
    "tail_patch_10",
)
WIDE = ("recall_at_1", "precision_at_10", "average_precision")  # left out where there is little room
ROOM = 120  # characters that all columns need
SHOWN_BY_AIS = ("ais_mrr", "ais_recall_at_10")
Figures = Mapping[str, Any]


def shown(figures: Sequence[Figures]) -> list[str]:
    """The measures worth a column: those that are known for some run."""
    return [name for name in (*SHOWN, *SHOWN_BY_AIS) if any(name in each["overall"] for each in figures)]


def said(estimate: Mapping[str, float] | None) -> str:
    """`0.912 [0.893, 0.930]`, an en dash for none."""
    if not estimate:
        return "–"
    return f"{estimate['mean']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]".replace("-", "−")


def settings_said(settings: Mapping[str, Any], figures: Mapping[str, Figures] | None = None) -> str:
    """What stands beside every tail-patch; with `figures`, also over how many prompts where not over all."""
    counts = {
        found["count"]
        for each in (figures or {}).values()
        for measure, found in each["overall"].items()
        if measure.startswith("tail_patch") and found["count"] < each["prompts"]
    }
    over = f" Over {min(counts):,} of the prompts." if counts else ""
    steps = f"{settings['steps']} step" + ("" if settings["steps"] == 1 else "s")
    return (
        f"Tail-patch in percentage points of the target's probability, after {steps} of {settings['optimizer']} at"
        f" learning rate {settings['learning_rate']:g} on each passage.{over}"
    )


def headings(names: Sequence[str]) -> list[str]:
    """Their labels, tail-patches with their unit."""
    return [LABELS[name] + (" (pp)" if name.startswith("tail_patch") else "") for name in names]


def rows(figures: Mapping[str, Figures], part: str, names: Sequence[str]) -> list[list[str]]:
    """One row for each run: its name and what is `said` of each measure.

    Args:
        part: `overall`, or the slug of the run that all are compared with.
    """
    out = []
    for name, each in figures.items():
        own = each["overall"] if part == "overall" else each["against"].get(part, {})
        if own:
            out.append([name, *(said(own.get(measure)) for measure in names)])
    return out


def markdown(title: str, heads: Sequence[str], body: Sequence[Sequence[str]], note: str = "") -> str:
    """A titled Markdown table; `|` in names is escaped."""
    lines = [f"### {title}", "", f"| run | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in body
    ]
    return "\n".join([*lines, *(["", note] if note else []), ""])
