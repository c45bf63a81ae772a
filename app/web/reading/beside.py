"""Methods beside each other in one plot: a lane for each, and in words what only one found and what that was worth."""

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from sqlalchemy.orm import Session

from app.store import compare as ask
from app.store.examples import measured_steps
from app.store.steps import KeptSteps, kept_for
from app.store.tables import Prompt, Run
from app.tracing.explained import asked_of, rather_than
from app.web.evidence.answered import probability_of
from app.web.evidence.lanes import FOR, RANDOM, Dot, Evidence, Lane, after, lane, mean_change, source_of
from app.web.evidence.measured import DEPTH, SETTINGS
from app.web.evidence.searched import searched_for
from app.web.evidence.verdict import Piece, moved, plain
from app.web.site import urls
from app.words.answers import SAID
from app.words.partial import said_of
from app.words.saying import in_words

LETTERS = "ABCD"


def evidence_beside(
    session: Session,
    columns: Sequence[ask.ComparedResult],
    prompt: Prompt,
    rankings: Mapping[int, Sequence[tuple[int, str]]],
    shown: int = 0,
) -> Evidence:
    """What one step on each run's first passages did to what the first run explains: a lane for each, and the control's.

    Args:
        rankings: as `store.compare.ranks` gives them.
        shown: so many of each run's passages have a place on the page; dots lead there.
    """
    first = columns[0]
    answer = asked_of(first.shown.explains, first.prompt or prompt, first.output).explained.strip()
    before = probability_of(first.shown.explains, first.output)
    known = _known(session, first.shown, prompt, before)
    if known is None:
        return Evidence(answer=answer, before=before, verdict="", lanes=[], settings={})
    lanes = _lanes(columns, known, rankings, shown)
    return Evidence(
        answer=answer,
        before=known.before,
        verdict=plain(compared_in_words(known.before, lanes)),
        lanes=lanes,
        settings=known.settings,
    )


def _known(session: Session, run: Run, prompt: Prompt, before: float | None) -> KeptSteps | None:
    """Every step that is known of what the run explains: kept by pages, and those that runs were evaluated with."""
    kept = kept_for(session, run, prompt.id)
    settings = kept.settings if kept else run.metrics.get(SETTINGS) or {}
    ends: dict[int, float] = {}
    control: list[int] = []
    for each, rows in measured_steps(session, prompt.id, run, depth=DEPTH) if before is not None else []:
        if (each.metrics.get(SETTINGS) or {}) == settings:
            ends |= {row.passage_id: after(before or 0.0, row.tail_patch or 0.0) for row in rows}
            control += [row.passage_id for row in rows if each.method == RANDOM]
    if kept is not None:
        return KeptSteps(kept.before, ends | kept.after, kept.control or control, settings)
    return KeptSteps(before, ends, control, settings) if before is not None and ends else None


def _lanes(
    columns: Sequence[ask.ComparedResult],
    known: KeptSteps,
    rankings: Mapping[int, Sequence[tuple[int, str]]],
    shown: int,
) -> list[Lane]:
    first = columns[0].shown
    lanes = []
    for letter, each in zip(LETTERS, columns, strict=False):
        if each.result is None or not _alike(each.shown, first):
            continue
        dots = [
            Dot(
                passage_id=id_,
                after=known.after[id_],
                rank=rank,
                url=f"#{letter}{rank}" if rank <= shown else urls.passage(id_),
            )
            for rank, (id_, _) in enumerate(rankings[each.result.id][:DEPTH], 1)
            if id_ in known.after
        ]
        if dots:
            source = source_of(FOR, each.run.method, len(dots))
            lanes.append(lane(FOR, dots, source=source, method=each.run.method, label=each.run.name))
    ends = [(id_, known.after[id_]) for id_ in known.control if id_ in known.after]
    control = [Dot(passage_id=id_, after=end, url=urls.passage(id_)) for id_, end in ends]
    if lanes and control:
        lanes.append(lane(RANDOM, control, source=source_of(RANDOM, "", len(control))))
    return lanes


def _alike(run: Run, first: Run) -> bool:
    """Whether steps for one run say something of the other's passages."""
    return (run.model_id, run.corpus_id, run.explains) == (first.model_id, first.corpus_id, first.explains)


def compared_in_words(before: float, lanes: Sequence[Lane]) -> list[Piece]:
    """`On average, a training step on a passage found by A moves the answer up by 12 points, by B up by 1 point.`"""
    said: list[Piece] = []
    for at, each in enumerate(lanes):
        mean = mean_change(before, each)
        if mean is not None:
            start = (
                "On average, a training step on a passage found by {} moves the answer "
                if not said
                else "by {} "
            )
            joint = "" if not said else " and " if at == len(lanes) - 1 else ", "
            words = "on a random one " if each.name == RANDOM else start.format(each.label)
            said += [Piece(f"{joint}{words}"), moved(mean)]
    return [*said, Piece(".")] if said else []


def only_here_in_words(
    name: str, before: float, own: Lane | None, alone: Collection[int], of: int
) -> list[Piece]:
    """`Eight of TrackStar’s first ten were found by it alone; a training step on each moves the answer up by 12 points
    on average.`"""
    first = f"{name}’s first" if of == 1 else f"{name}’s first {in_words(of)}"
    if not alone:
        return [Piece(f"None of {first} was found by it alone.")]
    some = "All" if len(alone) == of else in_words(len(alone)).capitalize()
    were = "was" if len(alone) == 1 else "were"
    said = f"{first} was found by it alone" if of == 1 else f"{some} of {first} {were} found by it alone"
    changes = [100 * (dot.after - before) for dot in (own.dots if own else ()) if dot.passage_id in alone]
    if not changes:
        return [Piece(f"{said}.")]
    which = "it" if len(alone) == 1 else "each"
    if len(changes) < len(alone):
        which = "the one measured" if len(changes) == 1 else f"each of the {in_words(len(changes))} measured"
    average = " on average" if len(changes) > 1 else ""
    return [
        Piece(f"{said}; a training step on {which} moves the answer "),
        moved(fmean(changes)),
        Piece(f"{average}."),
    ]


def searched(column: ask.ComparedResult) -> str:
    """What the run ranked the prompt's passages by, where more than one text is in question, and that it looked at a part of
    them only, where it did."""
    if column.prompt is None or column.result is None:
        return ""
    kind, output = column.shown.explains, column.output
    said = asked_of(kind, column.prompt, output).explained.strip()
    truth = rather_than(column.prompt, output) if kind == SAID else None
    contrast = column.result.contrast
    by = searched_for(column.run.method, said, contrast, truth.completion if truth else None)
    return " ".join(each for each in (by, said_of(column.run.configuration)) if each)
