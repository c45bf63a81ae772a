"""Methods beside each other in one plot: a lane for each, and in words what only one found and what that was worth."""

from collections.abc import Collection, Sequence
from statistics import fmean

from sqlalchemy.orm import Session

from app.store.examples import measured_steps
from app.store.tables import Prompt, Run
from app.web.evidence.lanes import FOR, RANDOM, Dot, Lane, after, first_of, lane, mean_change
from app.web.evidence.measured import DEPTH
from app.web.evidence.verdict import Piece, moved
from app.words.methods import method_label
from app.words.saying import in_words


def lanes_beside(session: Session, runs: Sequence[Run], prompt: Prompt, before: float) -> list[Lane]:
    """A lane for each run whose passages were stepped on, and the control's."""
    by_run: dict[int, list[Dot]] = {}
    control: list[Dot] = []
    for run, rows in measured_steps(session, prompt.id, runs[0], depth=DEPTH):
        dots = [
            Dot(passage_id=row.passage_id, after=after(before, row.tail_patch or 0.0), rank=row.rank)
            for row in rows
            if row.side == "proponent"
        ]
        if run.method == RANDOM:
            control = dots
        elif dots:
            by_run[run.id] = dots
    lanes = [
        lane(
            FOR,
            by_run[run.id],
            source=first_of(method_label(run.method), len(by_run[run.id])),
            method=run.method,
            label=run.name,
        )
        for run in runs
        if run.id in by_run
    ]
    return [*lanes, lane(RANDOM, control, source="the control")] if lanes and control else lanes


def compared_in_words(before: float, lanes: Sequence[Lane]) -> list[Piece]:
    """`Passages of TrackStar move it up by 12 points on average, of BM25 up by 1 point.`"""
    said: list[Piece] = []
    for at, each in enumerate(lanes):
        mean = mean_change(before, each)
        if mean is not None:
            whose = "random ones" if each.name == RANDOM else f"those of {each.label}"
            said += [
                Piece(f", {whose} " if at else f"Passages found by {each.label} move the answer "),
                moved(mean),
            ]
    return [*said, Piece(" on average.")] if said else []


def only_here_in_words(
    name: str, before: float, own: Lane | None, alone: Collection[int], of: int
) -> list[Piece]:
    """`Only TrackStar found eight of its first ten; those measured move it up by 12 points on average.`"""
    said = [Piece(f"Only {name} found {in_words(len(alone))} of its first {in_words(of)}")]
    changes = [100 * (dot.after - before) for dot in (own.dots if own else ()) if dot.passage_id in alone]
    if not changes:
        return [*said, Piece(".")]
    which = "it moves" if len(alone) == 1 else "they move"
    if len(changes) < len(alone):
        which = f"the {in_words(len(changes))} that {'was' if len(changes) == 1 else 'were'} measured move"
        which += "s" if len(changes) == 1 else ""
    average = " on average" if len(changes) > 1 else ""
    return [*said, Piece(f"; {which} the answer "), moved(fmean(changes)), Piece(f"{average}.")]
