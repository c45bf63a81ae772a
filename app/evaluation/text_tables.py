"""Figures as tables of text: for a terminal and for Markdown. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.evaluation.metrics import THRESHOLD
from app.words.measures import (
    DATE_LM,
    DATE_LM_AT,
    DEPTHS,
    LABELS,
    SHOWN,
    SHOWN_BY_AIS,
    TYPE_SHARES,
    in_points,
)
from app.words.passages import TYPES
from app.words.saying import optimizer_name, undirected

ROOM = 120  # characters that all columns need
Figures = Mapping[str, Any]


def shown(figures: Sequence[Figures]) -> list[str]:
    """The measures worth a column: those that are known for some run."""
    return [name for name in (*SHOWN, *SHOWN_BY_AIS) if any(name in each["overall"] for each in figures)]


def said(estimate: Mapping[str, float] | None) -> str:
    """`0.912 [0.893, 0.930]`, an en dash for none."""
    if not estimate:
        return "–"
    return f"{estimate['mean']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]".replace("-", "−")


def steps_said(settings: Mapping[str, Mapping[str, Any] | None]) -> str:
    """`1 step of Adafactor at learning rate 0.003 on each passage`; empty where no tail-patch was measured.

    Args:
        settings: name of each run -> its `tail_patch_settings`. Runs that were measured by another step are named,
            so that no figure stands beside the settings of another.
    """
    runs: dict[str, list[str]] = {}
    for name, each in settings.items():
        if each:
            steps = f"{each['steps']} step" + ("" if each["steps"] == 1 else "s")
            said = (
                f"{steps} of {optimizer_name(each['optimizer'])} at learning rate {each['learning_rate']:g}"
            )
            runs.setdefault(said, []).append(undirected(name))
    kinds = [said if len(runs) == 1 else f"{said} ({', '.join(names)})" for said, names in runs.items()]
    return f"{'; '.join(kinds)} on each passage" if kinds else ""


def settings_said(settings: Mapping[str, Mapping[str, Any] | None], figures: Iterable[Figures] = ()) -> str:
    """What stands beside a table of tail-patches, empty where none was measured.

    Args:
        settings: as in `steps_said`.
        figures: of the runs; over how many prompts tail-patch was measured is said where it was not all.
    """
    if not (steps := steps_said(settings)):
        return ""
    counts = {
        found["count"]
        for each in figures
        for measure, found in each["overall"].items()
        if in_points(measure) and found["count"] < each["prompts"]
    }
    over = f" Over {min(counts):,} of the prompts." if counts else ""
    return (
        "Tail-patch: change of the target’s probability, in percentage points, after"
        f" {steps}, mean of the first k.{over}"
    )


def ais_said(metrics: Iterable[Mapping[str, Any]]) -> str:
    """What counts as stating the fact by AIS, and whose scores they are (`Run.metrics` of the runs)."""
    known = [each for each in metrics if "ais_threshold" in each]
    threshold = known[0]["ais_threshold"] if known else THRESHOLD
    models = dict.fromkeys(each["ais_model"] for each in known if "ais_model" in each)
    givers = " or else ".join(["as the files give them", *models])
    return f"By AIS: a passage states the fact from a score of {threshold:g} on, {givers}."


def date_lm_said(figures: Mapping[str, Figures]) -> str:
    """What DATE-LM's measures are over, and which runs have none and why.

    Args:
        figures: by the name of the run.
    """
    reasons: dict[str, list[str]] = {}
    for name, each in figures.items():
        if reason := each.get("without_date_lm"):
            reasons.setdefault(reason, []).append(undirected(name))
    left_out = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    if not any(name in each["overall"] for each in figures.values() for name in DATE_LM):
        return f"As DATE-LM measures, left out: {left_out}." if left_out else ""
    return (
        "As DATE-LM measures: over the prompts whose fact some passage is known to state, the share of these passages among the"
        f" first {DATE_LM_AT}, and 1 / rank of the first of them, 0 beyond what a run keeps."
    ) + (f" Left out: {left_out}." if left_out else "")


def rules_said(types_by: Iterable[Mapping[str, int] | None]) -> str:
    """By which rules passages were classed, of one run or of several (`Run.metrics["types_by"]`)."""
    known = [each for each in types_by if each]
    exact = sum(each.get("exact", 0) for each in known)
    words = sum(each.get("by words", 0) for each in known)
    if given := sum(each.get("by the file", 0) for each in known):
        own = rules_said([{"exact": exact, "by words": words}]) if exact or words else ""
        return f"{own} {given:,} passages as their file gives them.".strip()
    if exact and not words:
        return "By exact rules: the corpus knows what each of its passages states."
    if exact:
        return (
            f"{exact:,} passages by exact rules (the corpus knows what they state), {words:,} by their words."
        )
    return "By the words of passages; that one states the fact is taken from ground truth or the file."


@dataclass(frozen=True)
class Table:
    """One table of text; `body` has a run's name and then a cell for each of `heads`.

    Args:
        part: whether a terminal shows it in few words: means without their intervals.
    """

    title: str
    heads: list[str]
    body: list[list[str]]
    note: str = ""
    part: bool = False

    def markdown(self) -> str:
        """Titled, with `|` in names escaped."""
        lines = [f"### {self.title}", "", f"| run | {' | '.join(self.heads)} |"]
        lines.append("|---|" + "---:|" * len(self.heads))
        cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.body]
        lines += [f"| {' | '.join(row)} |" for row in cells]
        return "\n".join([*lines, *(["", self.note] if self.note else []), ""])


def of_measures(
    title: str, figures: Mapping[str, Figures], names: Sequence[str], note: str = "", against: str = ""
) -> Table:
    """Runs against measures.

    Args:
        figures: by the name of the run.
        against: the slug of a run; then the cells say how much higher each is than this one.
    """
    body = []
    for name, each in figures.items():
        own = each["against"].get(against, {}) if against else each["overall"]
        if own:
            body.append([name, *(said(own.get(measure)) for measure in names)])
    return Table(title, [_heading(name) for name in names], body, note)


def of_depths(title: str, figures: Mapping[str, Figures], measure: str, note: str = "") -> Table:
    """Runs against how many of the first passages a measure looks at; `measure` as in `tail_patch`."""
    names = [f"{measure}_{k}" for k in DEPTHS]
    known = [name for name in names if any(name in each["overall"] for each in figures.values())]
    return replace(of_measures(title, figures, known, note), part=True)


def of_slice(
    title: str,
    figures: Mapping[str, Figures],
    by: str,
    measure: str,
    *,
    named: Callable[[str, str], str],
    note: str = "",
) -> Table:
    """Runs against the parts of a slice, by one measure.

    Args:
        named: a slice and its value -> how the value is called.
    """
    parts = {value for each in figures.values() for value in each["slices"].get(by, {})}
    values = sorted(parts, key=lambda value: (len(value) if by == "bucket" else 0, value))
    body = []
    for name, each in figures.items():
        own = each["slices"].get(by, {})
        cells = [own.get(value, {}).get(measure) for value in values]
        if any(cells):
            body.append([name, *map(said, cells)])
    return Table(title, [named(by, value) for value in values], body, note, part=True)


def of_types(
    title: str, figures: Mapping[str, Figures], last: int, *, named: Callable[[str], str], note: str = ""
) -> Table:
    """What share of the first passages, to rank `last`, is of each type."""
    body = []
    for name, each in figures.items():
        ranks = each["types"][:last]
        counts = [sum(rank.get(kind, 0) for rank in ranks) for kind in TYPES]
        if total := sum(counts):
            body.append([name, *(f"{count / total:.3f}" for count in counts)])
    return Table(title, [named(kind) for kind in TYPES], body, note, part=True)


def of_types_by_answer(
    title: str, figures: Mapping[str, Figures], value: str, *, named: Callable[[str], str], note: str = ""
) -> Table:
    """What share of the first passages is of each type, where the model answers right or wrong (`value`: yes, no)."""
    body = []
    for name, each in figures.items():
        part = each["slices"].get("right", {}).get(value, {})
        cells = [part.get(measure) for measure in TYPE_SHARES.values()]
        if any(cells):
            body.append([name, *map(said, cells)])
    return Table(title, [named(kind) for kind in TYPE_SHARES], body, note, part=True)


def _heading(name: str) -> str:
    return LABELS[name] + (" (pp)" if in_points(name) else "")
