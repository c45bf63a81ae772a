"""Training steps on passages: where one real step on each leaves the probability of a target.

A step is the same whoever asked for it: it belongs to a target under a state of the model (`StepSet`), and traces and
results only say which passages they show in which lane. So none is ever computed twice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, and_, bindparam, cast, func, literal, select
from sqlalchemy.orm import Session

from app.store.tables import Result, Run
from app.store.work_tables import LanePassage, StepSet, StepTaken

_RESULT = "result:"
LANES = ("for", "words", "random", "against")


@dataclass(frozen=True)
class SteppedPassage:
    """A passage, and the target's probability (0..1) after one step on it; None: not taken yet."""

    passage_id: int
    after: float | None


@dataclass(frozen=True)
class StepsOf:
    """The steps of one trace or result.

    Args:
        before: the target's probability, 0..1.
        lanes: by name, in the order of `LANES` and of rank.
        settings: optimizer, learning rate, steps, loss.
    """

    before: float
    lanes: dict[str, list[SteppedPassage]]
    settings: dict[str, Any]

    @property
    def whole(self) -> bool:
        """Whether every step was taken."""
        return all(dot.after is not None for lane in self.lanes.values() for dot in lane)


@dataclass(frozen=True)
class KeptSteps:
    """Every step kept for one target, whichever run's page had it taken.

    Args:
        before: the target's probability, 0..1; `after`: by passage, after one step on it.
        control: the passages drawn at random. settings: as in `StepsOf`.
    """

    before: float
    after: dict[int, float]
    control: list[int]
    settings: dict[str, Any]


def of_trace(trace_id: str) -> str:
    """The name under which a trace's steps are kept."""
    return f"trace:{trace_id}"


def of_result(result_id: int) -> str:
    """The name under which the steps of a run's result are kept."""
    return f"{_RESULT}{result_id}"


_OF_PARENT = (
    select(LanePassage.lane, LanePassage.passage_id, StepTaken.after, LanePassage.set_id)
    .outerjoin(
        StepTaken,
        and_(StepTaken.set_id == LanePassage.set_id, StepTaken.passage_id == LanePassage.passage_id),
    )
    .where(LanePassage.parent == bindparam("parent"))
    .order_by(LanePassage.rank)
)


def steps_of(session: Session, parent: str) -> StepsOf | None:
    """The steps of a trace or result (`of_trace`, `of_result`) as far as they are taken; None before they began."""
    rows = session.execute(_OF_PARENT, {"parent": parent}).all()
    if not rows:
        return None
    found = session.get_one(StepSet, rows[0].set_id)
    lanes: dict[str, list[SteppedPassage]] = {
        name: [] for name in LANES if any(row.lane == name for row in rows)
    }
    for lane, passage_id, after, _ in rows:
        lanes[lane].append(SteppedPassage(passage_id, after))
    return StepsOf(found.before, lanes, found.settings)


def kept_for(session: Session, run: Run, prompt_id: int) -> KeptSteps | None:
    """What was ever taken for what `run` explains of a prompt, for results of any run of its model and corpus."""
    alike = select(literal(_RESULT) + cast(Result.id, String)).join(Run, Run.id == Result.run_id)
    alike = alike.where(
        Result.prompt_id == prompt_id,
        Run.model_id == run.model_id,
        Run.corpus_id == run.corpus_id,
        Run.explains == run.explains,
    )
    query = select(LanePassage).where(LanePassage.parent.in_(alike))
    lanes = session.scalars(query.order_by(LanePassage.set_id, LanePassage.rank)).all()
    if not lanes:
        return None
    found = session.get_one(StepSet, lanes[-1].set_id)
    taken = select(StepTaken.passage_id, StepTaken.after).where(StepTaken.set_id == found.id)
    after: dict[int, float] = dict(session.execute(taken).all())
    drawn = [row.passage_id for row in lanes if row.lane == "random" and row.set_id == found.id]
    return KeptSteps(found.before, after, list(dict.fromkeys(drawn)), found.settings)


def taken_on(session: Session, passage_id: int, limit: int) -> list[tuple[int, float, float]]:
    """What steps on a passage did for results: the result's id, the probability before and after; the largest first."""
    query = (
        select(LanePassage.parent, StepSet.before, StepTaken.after)
        .join(StepSet, StepSet.id == LanePassage.set_id)
        .join(
            StepTaken,
            and_(StepTaken.set_id == LanePassage.set_id, StepTaken.passage_id == LanePassage.passage_id),
        )
        .where(LanePassage.passage_id == passage_id, LanePassage.parent.startswith(_RESULT))
        .order_by(func.abs(StepTaken.after - StepSet.before).desc(), LanePassage.parent)
        .limit(limit)
    )
    return [
        (int(parent.removeprefix(_RESULT)), before, end) for parent, before, end in session.execute(query)
    ]


def has_steps(session: Session, parent: str) -> bool:
    """Whether steps were begun for this trace or result."""
    return session.scalar(select(LanePassage.rank).where(LanePassage.parent == parent).limit(1)) is not None


def begin(
    session: Session,
    parent: str,
    key: str,
    *,
    before: float,
    settings: Mapping[str, Any],
    lanes: Mapping[str, Sequence[int]],
) -> int:
    """Say which passages are to be stepped on for `parent`; returns the set that the steps belong to.

    Args:
        key: equal for equal models, settings and targets.
        before: the target's probability.
        lanes: passage ids by rank.
    """
    set_id = kept_set(session, key, before=before, settings=settings)
    if not has_steps(session, parent):
        session.add_all(
            LanePassage(parent=parent, lane=lane, rank=rank, passage_id=id_, set_id=set_id)
            for lane, ids in lanes.items()
            for rank, id_ in enumerate(ids, start=1)
        )
    return set_id


def kept_set(session: Session, key: str, *, before: float, settings: Mapping[str, Any]) -> int:
    """The set of a target's steps, made where it is not there; see `begin`."""
    found = session.scalar(select(StepSet).where(StepSet.key == key))
    if found is None:
        found = StepSet(key=key, before=before, settings=dict(settings))
        session.add(found)
        session.flush()
    return found.id


def missing(session: Session, set_id: int, passage_ids: Collection[int]) -> list[int]:
    """The passages that no step was taken on yet, each once, in their order."""
    taken = session.scalars(
        select(StepTaken.passage_id).where(
            StepTaken.set_id == set_id, StepTaken.passage_id.in_(list(passage_ids))
        )
    )
    known = set(taken)
    return [id_ for id_ in dict.fromkeys(passage_ids) if id_ not in known]


def keep(session: Session, set_id: int, after: Mapping[int, float]) -> None:
    """Save the target's probability after a step on each of these passages."""
    for passage_id in missing(session, set_id, list(after)):
        session.add(StepTaken(set_id=set_id, passage_id=passage_id, after=after[passage_id]))
