"""Which answer tells best why tracing is needed, from the training steps that were taken: by rule, not by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.store.steps import of_result
from app.store.tables import Output, Prompt, Result, Run
from app.store.work_tables import LanePassage, StepSet, StepTaken
from app.words.answers import SAID

LOOKED = 3  # of the passages by words, one of the first so many is the one that is told of
STILL = 0.03  # where random passages move the answer further than this, nothing is told
AT_LEAST = 0.03  # the traced passages move it up by so much


@dataclass(frozen=True)
class SteppedStory:
    """A result whose first traced passage moves the answer up, while one of the first by words moves it down or less.

    Args:
        traced, words: passage ids; `words_rank` is the place of the second in its list.
        gap: how much further up the traced passages leave the answer than the one by words, 0..1.
    """

    result_id: int
    traced: int
    words: int
    words_rank: int
    gap: float


def newest_steps(session: Session) -> int:
    """A number that grows whenever steps were taken for another target."""
    return session.scalar(select(func.max(StepSet.id))) or 0


def best_stepped(session: Session, run: Run) -> SteppedStory | None:
    """Of the answers of a run (and of the one beside it) that were stepped on, the one with the widest gap.

    Only what the model itself says is told of: not a target where it answers something else.
    """
    results = session.scalars(
        select(Result.id)
        .join(Run, Run.id == Result.run_id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == run.model_id))
        .where(
            or_(Run.id == run.id, Run.beside_id == run.id),
            or_(Run.explains == SAID, Output.correct.is_(True)),
        )
    )
    said = {of_result(id_): id_ for id_ in results}
    wanted = or_(
        and_(LanePassage.lane == "for", LanePassage.rank <= 10),
        and_(LanePassage.lane == "words", LanePassage.rank <= LOOKED),
        LanePassage.lane == "random",
    )
    rows = session.execute(
        select(
            LanePassage.parent,
            LanePassage.lane,
            LanePassage.rank,
            LanePassage.passage_id,
            StepTaken.after - StepSet.before,
        )
        .join(StepSet, StepSet.id == LanePassage.set_id)
        .join(
            StepTaken,
            and_(StepTaken.set_id == LanePassage.set_id, StepTaken.passage_id == LanePassage.passage_id),
        )
        .where(wanted)
        .order_by(LanePassage.parent, LanePassage.lane, LanePassage.rank)
    )
    told = []
    for parent, group in groupby(rows, key=lambda row: row[0]):
        if parent in said:
            story = _story(said[parent], [(lane, rank, id_, change) for _, lane, rank, id_, change in group])
            told += [story] if story else []
    return max(told, key=lambda each: (each.gap, -each.result_id), default=None)


def _story(result_id: int, rows: Sequence[tuple[str, int, int, float]]) -> SteppedStory | None:
    """What one result tells; None where it tells nothing: rows are lane, rank, passage, change."""
    lanes = {name: [row for row in rows if row[0] == name] for name in ("for", "words", "random")}
    if not all(lanes.values()):
        return None
    first = lanes["for"][0]
    lowest = min(lanes["words"], key=lambda row: row[3])
    control = fmean(row[3] for row in lanes["random"])
    up = min(first[3], fmean(row[3] for row in lanes["for"]))
    if abs(control) > STILL or up < AT_LEAST or lowest[3] >= 0:
        return None
    return SteppedStory(result_id, first[2], lowest[2], lowest[1], up - lowest[3] - abs(control))
