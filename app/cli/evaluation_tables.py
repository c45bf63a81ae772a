"""What `startrail evaluate` says: the tables of the page, for a terminal and as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from app.evaluation import text_tables
from app.evaluation.text_tables import Table
from app.words.measures import (
    BY_DEPTH,
    DATE_LM,
    LABELS,
    MAIN,
    TYPED_AT,
    WIDE,
    are_judged,
    by_ais,
    in_points,
    measure_name,
)
from app.words.passages import type_name
from app.words.slices import EVALUATED, value_name
from app.words.tasks import task_name

Report = Mapping[str, Mapping[str, Any]]
NAME = 12  # characters that a run's name has at the least


def report_tables(
    report: Report, against: str = "", slices: Sequence[str] = tuple(EVALUATED)
) -> Iterator[Table]:
    """For each prompt set and task: measures, differences from `against`, by depth, by slice, types.

    Tables that would say nothing are left out.

    Args:
        report: by the run's slug, as `--json` writes it.
    """
    return (table for table in _tables(report, against, slices) if table.body and table.heads)


def _tables(report: Report, against: str, slices: Sequence[str]) -> Iterator[Table]:
    def named(counts: bool, by: str, value: str) -> str:
        said = value_name(EVALUATED[by], value, counts=counts)
        return said.encode("utf-8", "backslashreplace").decode()  # of a lone surrogate, its escape

    for prompt_set, task in dict.fromkeys(
        (run["prompt_set"], task) for run in report.values() for task in run["tasks"]
    ):
        own = {
            slug: run
            for slug, run in report.items()
            if run["prompt_set"] == prompt_set and task in run["tasks"]
        }
        names = _names(own)
        counts = all(run.get("buckets") != "file" for run in own.values())
        figures = {
            names[slug]: run["tasks"][task]
            for slug, run in own.items()
            if are_judged(run["tasks"][task]["overall"])
        }
        if not figures:
            continue
        settings = {names[slug]: run.get("tail_patch_settings") for slug, run in own.items()}
        step = text_tables.settings_said(settings, figures.values())
        rules = text_tables.rules_said(run.get("types_by") for run in own.values())
        note = "Means over prompts with 95% bootstrap intervals."
        about = f"{task_name(task)} of {prompt_set}"
        shown = text_tables.shown(list(figures.values()))
        count = max(each["prompts"] for each in figures.values())
        patched = any(map(in_points, shown))
        ais = text_tables.ais_said(own.values()) if any(map(by_ais, shown)) else ""
        date_lm = text_tables.date_lm_said(figures)
        deep = {name: each for name, each in figures.items() if any(n in each["overall"] for n in DATE_LM)}
        whole = " ".join(filter(None, (note, step if patched else "", ais, "" if deep else date_lm)))
        yield text_tables.of_measures(f"{about}: {count:,} prompts", figures, shown, whole)
        if against:
            differing = [
                n for n in shown if any(n in each["against"].get(against, {}) for each in figures.values())
            ]
            yield text_tables.of_measures(
                f"{about}: how much higher than {names.get(against, against)}",
                figures,
                differing,
                whole,
                against,
            )
        yield text_tables.of_measures(f"{about}: as DATE-LM measures", deep, DATE_LM, date_lm)
        for measure in BY_DEPTH:
            said = measure_name(measure).removesuffix("@k")
            yield text_tables.of_depths(
                f"{about}: {said} of the first k", figures, measure, _note(measure, note, step)
            )
        for by in slices:
            for measure in MAIN:
                yield text_tables.of_slice(
                    f"{about}: {LABELS[measure]} by {EVALUATED[by].way}", figures, by, measure,
                    named=partial(named, counts), note=_note(measure, note, step),
                )  # fmt: skip
        for last in (1, 10):
            title = f"{about}: types of {'the first passage' if last == 1 else f'the first {last} passages'}, shares"
            yield text_tables.of_types(title, figures, last, named=type_name, note=rules)
        for value, said in EVALUATED["right"].values.items():
            title = f"{about}: types of the first {TYPED_AT} passages where the model answers {said}, shares"
            yield text_tables.of_types_by_answer(title, figures, value, named=type_name, note=rules)


def show(table: Table) -> None:
    """Print it, with fewer columns where the terminal is narrow; notes are not said again below parts."""
    from rich.table import Table as Drawn
    from rich.text import Text

    from app.cli.progress import console

    room = table.part or console.width >= text_tables.ROOM
    wide = [] if room else [LABELS[name] for name in WIDE]
    places = [at for at, head in enumerate(table.heads) if head not in wide]
    drawn = Drawn(title=Text(table.title), title_justify="left")
    rows = [(name, *(_cell(cells[at], table.part) for at in places)) for name, *cells in table.body]
    longest, *needed = (
        max(len(part) for row in rows for part in row[at].split("\n")) for at in range(len(places) + 1)
    )
    left = console.width - sum(needed) - 3 * len(needed) - 4  # for names, when every number is whole
    drawn.add_column("run", width=max(NAME, min(longest, left)), overflow="fold")
    for at in places:
        drawn.add_column(table.heads[at].replace("@", "\n@"), justify="right", overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    console.print(drawn)
    if table.note and not table.part:
        console.print(Text(table.note))


def _cell(said: str, part: bool) -> str:
    """The mean, and its interval in a second line where there is room for one."""
    mean, _, interval = said.partition(" [")
    return mean if part or not interval else f"{mean}\n{interval.rstrip(']').replace(', ', '…')}"


def _note(measure: str, note: str, step: str) -> str:
    return f"{note} {step}".strip() if in_points(measure) else note


def _names(runs: Report) -> dict[str, str]:
    """What tables call runs, by slug: two of the same name are told apart by it."""
    names = [run["name"] for run in runs.values()]
    return {
        slug: run["name"] if names.count(run["name"]) == 1 else f"{run['name']} ({slug})"
        for slug, run in runs.items()
    }
