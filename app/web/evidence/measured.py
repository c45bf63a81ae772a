"""The evidence for one answer: from what the store knows of an example, or from what a trace measured."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.store.examples import measured_steps
from app.store.steps import StepsOf
from app.store.tables import Prompt, Retrieved, Run
from app.web.evidence.lanes import (
    AGAINST,
    FOR,
    RANDOM,
    WORDS,
    Dot,
    Evidence,
    Lane,
    after,
    lane,
    source_of,
)
from app.web.evidence.verdict import plain, verdict
from app.web.site import urls
from app.words.method import Method
from app.words.methods import method_of

DEPTH = 10  # passages of a lane
SETTINGS = "tail_patch_settings"  # where a run keeps by which step its passages were measured

Steps = Sequence[tuple[Run, Sequence[Retrieved]]]


def evidence(
    answer: str,
    before: float | None,
    lanes: Sequence[Lane],
    settings: dict[str, Any],
) -> Evidence:
    """The evidence with its verdict; lanes that nothing was measured for are left out."""
    shown = [each for each in lanes if each.dots]
    return Evidence(
        answer=answer.strip(),
        before=before,
        verdict=plain(verdict(before, shown, answer)),
        lanes=shown,
        settings=settings,
    )


def evidence_of_example(
    session: Session,
    run: Run,
    prompt: Prompt,
    answer: str,
    before: float | None,
    shown: Collection[tuple[str, int]],
) -> Evidence:
    """What the passages of all runs of this model and corpus that explain the same did to it.

    Args:
        run: the one whose page it is.
        answer: what the run explains; `before` is its probability.
        shown: side and rank of the run's passages that have a place on the page; dots lead there.
    """
    steps = measured_steps(session, prompt.id, run, depth=DEPTH) if before is not None else []
    return of_steps(steps, run, answer, before, shown)


def of_taken(
    answer: str, taken: StepsOf, sources: Mapping[str, str], shown: Mapping[tuple[str, int], str]
) -> Evidence:
    """The lanes of steps taken without being asked, as far as they are.

    Args:
        sources: the method behind each lane that has one.
        shown: by lane and passage, the anchors of passages that have a place on the page.
    """
    lanes = []
    for name, dots in taken.lanes.items():
        made = [
            Dot(
                passage_id=dot.passage_id,
                after=dot.after,
                rank=None if name == RANDOM else rank,
                url=shown.get((name, dot.passage_id)) or urls.passage(dot.passage_id),
            )
            for rank, dot in enumerate(dots, 1)
            if dot.after is not None
        ]
        method = sources.get(name, "")
        lanes.append(lane(name, made, source=source_of(name, method, len(made)), method=method))
    return evidence(answer, taken.before, lanes, taken.settings)


def after_steps(taken: StepsOf) -> dict[int, float]:
    """Where a step on each passage left the answer, of those that were taken."""
    dots = (dot for lane in taken.lanes.values() for dot in lane)
    return {dot.passage_id: dot.after for dot in dots if dot.after is not None}


def of_steps(
    steps: Steps, run: Run, answer: str, before: float | None, shown: Collection[tuple[str, int]]
) -> Evidence:
    """The lanes of an example. The traced ones are `run`'s, or the first traced run's where `run` did not trace."""
    traced = _first(steps, _traces, run)
    settings = (traced or run).metrics.get(SETTINGS)
    alike = [each for each in steps if each[0].metrics.get(SETTINGS) == settings]
    wanted: list[tuple[str, Run | None, str]] = [
        (FOR, traced, "proponent"),
        (WORDS, _first(alike, lambda method: method.kind == "words", run), "proponent"),
        (RANDOM, _first(alike, lambda method: method.name == RANDOM, run), "proponent"),
        (AGAINST, traced, "opponent"),
    ]
    lanes = [
        _lane(name, chosen, side, alike, shown if chosen.id == run.id else (), before or 0.0)
        for name, chosen, side in wanted
        if chosen
    ]
    return evidence(answer, before, lanes, settings or {})


def _traces(method: Method) -> bool:
    return method.kind in ("gradient", "meaning", "imported")


def _first(steps: Steps, wanted: Callable[[Method], bool], run: Run) -> Run | None:
    """The run of a wanted method: this page's own if it is one, else the one that leads."""
    found = {each.id: each for each, _ in steps if wanted(method_of(each.method))}
    if run.id in found:
        return found[run.id]
    return min(found.values(), key=lambda each: (method_of(each.method).lead, each.id), default=None)


def _lane(
    name: str, run: Run, side: str, steps: Steps, shown: Collection[tuple[str, int]], before: float
) -> Lane:
    rows = [row for each, rows in steps for row in rows if each.id == run.id and row.side == side]
    dots = [
        Dot(
            passage_id=row.passage_id,
            after=after(before, row.tail_patch or 0.0),
            rank=row.rank,
            url=f"#{side[0]}{row.rank}" if (side, row.rank) in shown else urls.passage(row.passage_id),
        )
        for row in rows
    ]
    return lane(name, dots, source=source_of(name, run.method, len(dots)), method=run.method)
