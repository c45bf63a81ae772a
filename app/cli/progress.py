"""One look for all long work: what is done, how fast, how long still. A line now and then where no terminal is."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from app.showing import Progress

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
QUIET = 20.0  # seconds between two lines of progress in a log


class Rate(ProgressColumn):
    """Units per second, or what one takes where it takes seconds."""

    def render(self, task: Task) -> Text:
        """`1,234/s`, `0.4/s`, `12 s each`; empty until there is a speed to tell."""
        return Text(spoken_rate(task.speed) if task.speed else "", style="progress.data.speed")


def spoken_rate(speed: float) -> str:
    """A speed in units per second, never as none."""
    if speed < 0.1:
        return f"{1 / speed:,.0f} s each"
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s"


@contextmanager
def bar(description: str) -> Iterator[Progress]:
    """A progress bar on standard error, so that standard output stays clean for pipes."""
    if not errors.is_terminal:
        yield _lines(description)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=errors, refresh_per_second=5) as progress:
        task = progress.add_task(description, total=None)

        def step(done: int, total: int, label: str | None = None) -> None:
            progress.update(task, completed=done, total=total or None, description=label)

        yield step


def _lines(description: str) -> Progress:
    """For logs: nothing about short work, then a line every `QUIET` seconds."""
    started = last = time.monotonic()

    def step(done: int, total: int, label: str | None = None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < QUIET:
            return
        last = now
        left = f", {(total - done) * (now - started) / done:,.0f} s left" if 0 < done < total else ""
        of = f" of {total:,}" if total else ""
        errors.print(f"{label or description}: {done:,}{of} after {now - started:,.0f} s{left}")

    return step


def kilobytes(step: Progress) -> Progress:
    """The step for progress that is told in bytes; what has a label of its own is told as it is."""

    def told(done: int, total: int, label: str | None = None) -> None:
        if label is None:
            step(done >> 10, total >> 10)
        else:
            step(done, total, label)

    return told


def listing(*heads: str, rows: Iterable[Sequence[str]]) -> Table:
    """A list of things by their names, which are never cut short nor taken for markup: they are typed again."""
    table = Table(*(Column(head, overflow="fold") for head in heads), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
