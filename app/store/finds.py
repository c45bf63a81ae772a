"""What is worth a look, by what training steps did: a bounded number of rows of each kind, the most telling first.

Steps come from two places: those that a run was evaluated with, and those taken when somebody opened an example.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from app.store.runs import WITH_NAMES
from app.store.steps import of_result
from app.store.tables import (
    Output,
    Passage,
    Prompt,
    Result,
    Retrieved,
    Run,
    Statement,
)
from app.store.work_tables import LanePassage, StepSet, StepTaken

MOST = 50  # finds of a kind
LOOKED_AT = 400  # of the steps that moved an answer furthest
LEAST = 0.005  # a change of probability that is worth a look
EXCERPT = 300  # characters of a passage


@dataclass(frozen=True)
class Find:
    """A prompt of a run, and what one step on one passage did to what the run explains.

    Args:
        answer: that, with its probability `before` and `after` the step, 0..1; None where nothing was measured.
        rank: the passage's, where a ranking has it.
        when: the run was made.
    """

    run: str
    run_name: str
    model: str
    prompt_id: int
    prompt: str
    slug: str
    answer: str
    before: float | None
    after: float | None
    passage_id: int
    passage: str
    rank: int | None
    when: datetime

    @property
    def change(self) -> float:
        """Of the probability; 0 where nothing was measured."""
        return 0.0 if self.before is None or self.after is None else self.after - self.before


def misled(session: Session, runs: Sequence[Run]) -> list[Find]:
    """Where a step on the first passage that shares most words makes the answer less likely."""
    words = [run.id for run in runs if run.method == "bm25"]
    found = _evaluated(session, words, Retrieved.rank == 1, falls=True) if words else []
    lane = and_(LanePassage.lane == "words", LanePassage.rank == 1)
    found += _taken(session, runs, lane, falls=True)
    return _best(each for each in found if each.change < -LEAST)


def taught_by_another(session: Session, runs: Sequence[Run]) -> list[Find]:
    """Where a step on a passage that does not state the fact makes the answer more likely."""
    traced = [run.id for run in runs if run.method != "bm25"]
    untold = and_(Retrieved.correct.is_(False), Prompt.task == "fact")
    found = _evaluated(session, traced, untold, falls=False) if traced else []
    found += _silent(session, _taken(session, runs, LanePassage.lane == "for", falls=False))
    return _best(each for each in found if each.change > LEAST)


def known_from_one(session: Session, run: Run) -> list[Find]:
    """Facts that one passage states and the model knows, the surest first, with that passage."""
    query = (
        _examples([run.id])
        .join(Statement, Statement.prompt_id == Prompt.id)
        .join(Passage, Passage.id == Statement.passage_id)
        .add_columns(Passage)
        .where(Prompt.frequency == 1, Output.correct.is_(True))
        .order_by(Output.probability.desc(), Prompt.id)
        .limit(MOST)
    )
    found = [_find(row[0], row[2], row[3], row[4]) for row in session.execute(query)]
    ids = [each.passage_id for each in found]
    measured_ones = [
        *_evaluated(session, [run.id], Retrieved.passage_id.in_(ids), falls=False),
        *_taken(session, [run], LanePassage.passage_id.in_(ids), falls=False),
    ]
    steps = {(each.prompt_id, each.passage_id): each for each in measured_ones}
    measured = [steps.get((each.prompt_id, each.passage_id)) for each in found]
    return [
        replace(each, before=step.before, after=step.after) if step else each
        for each, step in zip(found, measured, strict=True)
    ]


def _examples(run_ids: Sequence[int]) -> Select:
    return (
        select(Run, Result, Prompt, Output)
        .join(Result, Result.run_id == Run.id)
        .join(Prompt, Prompt.id == Result.prompt_id)
        .join(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == Run.model_id))
        .where(Run.id.in_(run_ids))
        .options(*WITH_NAMES)
    )


def _evaluated(
    session: Session, run_ids: Sequence[int], where: ColumnElement[bool], *, falls: bool
) -> list[Find]:
    """Steps that runs were evaluated with; only results that have any are looked at."""
    order = Retrieved.tail_patch.asc() if falls else Retrieved.tail_patch.desc()
    query = (
        _examples(run_ids)
        .join(Retrieved, and_(Retrieved.result_id == Result.id, Retrieved.side == "proponent"))
        .join(Passage, Passage.id == Retrieved.passage_id)
        .add_columns(Retrieved, Passage)
        .where(Result.tail_patch.is_not(None), Retrieved.tail_patch.is_not(None), where)
        .order_by(order, Retrieved.result_id, Retrieved.rank)
        .limit(LOOKED_AT)
    )
    found = []
    for run, _, prompt, output, row, passage in session.execute(query):
        each = _find(run, prompt, output, passage, row.rank)
        if each.before is not None:
            after = min(1.0, max(0.0, each.before + row.tail_patch / 100))
            found.append(replace(each, after=after))
    return found


def _taken(session: Session, runs: Sequence[Run], where: ColumnElement[bool], *, falls: bool) -> list[Find]:
    """Steps that were taken for examples of the runs, the furthest first."""
    change = StepTaken.after - StepSet.before
    query = (
        select(LanePassage.parent, LanePassage.rank, StepSet.before, StepTaken.after, Passage)
        .join(StepSet, StepSet.id == LanePassage.set_id)
        .join(
            StepTaken,
            and_(StepTaken.set_id == LanePassage.set_id, StepTaken.passage_id == LanePassage.passage_id),
        )
        .join(Passage, Passage.id == LanePassage.passage_id)
        .where(LanePassage.parent.startswith("result:"), LanePassage.lane != "random", where)
        .order_by(change.asc() if falls else change.desc(), LanePassage.parent)
        .limit(LOOKED_AT)
    )
    rows = session.execute(query).all()
    ids = {int(row[0].partition(":")[2]) for row in rows}
    examples = session.execute(_examples([run.id for run in runs]).where(Result.id.in_(ids))).all()
    known = {of_result(row[1].id): (row[0], row[2], row[3]) for row in examples}
    return [
        replace(_find(*known[parent], passage, rank), before=before, after=after)
        for parent, rank, before, after, passage in rows
        if parent in known
    ]


def _silent(session: Session, found: Sequence[Find]) -> list[Find]:
    """Those whose passage is known not to state the fact: some passage is, and this one is not."""
    prompts = {each.prompt_id for each in found}
    stated = session.execute(
        select(Statement.prompt_id, Statement.passage_id).where(Statement.prompt_id.in_(prompts))
    ).all()
    told, known = {tuple(row) for row in stated}, {row.prompt_id for row in stated}
    return [
        each for each in found if each.prompt_id in known and (each.prompt_id, each.passage_id) not in told
    ]


def _find(run: Run, prompt: Prompt, output: Output, passage: Passage, rank: int | None = None) -> Find:
    said = run.explains == "said" and output.said is not None
    return Find(
        run=run.slug,
        run_name=run.name,
        model=run.model.name,
        prompt_id=prompt.id,
        prompt=prompt.text,
        slug=prompt.slug,
        answer=((output.answer or output.said or "") if said else prompt.target).strip(),
        before=output.said_probability if said else output.probability,
        after=None,
        passage_id=passage.id,
        passage=passage.text[:EXCERPT],
        rank=rank,
        when=run.finished_at or run.created_at,
    )


def _best(found: Iterable[Find]) -> list[Find]:
    """The furthest step of each prompt, furthest first, at most `MOST`."""
    best: dict[int, Find] = {}
    for each in sorted(found, key=lambda find: (-abs(find.change), find.prompt_id, find.run)):
        best.setdefault(each.prompt_id, each)
    return list(best.values())[:MOST]


def steps_mark(session: Session) -> int:
    """A number that grows with the targets that steps were taken for."""
    return session.scalar(select(func.max(StepSet.id))) or 0
