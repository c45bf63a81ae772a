"""Tail-patch for the passages of runs: does one more training step on each make its target likelier? (paper §5.2)

Each distinct passage is trained on once, and every prompt that any of the runs retrieved it for is measured in that
state. What was measured is saved as it comes, so that work that was stopped goes on where it was.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from app.errors import UserError
from app.models.hands import Hands, own_hands
from app.models.load import LoadedModel
from app.models.step_work import StepsTaken
from app.models.steps import TailPatch
from app.models.text import Query
from app.store.chunks import chunks
from app.store.corpora import lessons_of
from app.store.engine import Store
from app.store.tables import Evaluation, Output, Prompt, Result, Retrieved, Run
from app.words.roles import Lesson

CHUNK = 32  # passages between two saves, about a second of a small model: what a kill loses, and how often progress is told
Asked = tuple[int, str]  # a prompt, and what of it is explained
Places = dict[Asked, list[tuple[int, int]]]  # (result, rank) where the passage stands for it
Known = dict[tuple[Asked, int], float]  # what was measured, by what was asked and the passage
Piece = list[tuple[Lesson, list[Query]]]
UNTAUGHT = ""  # a blank passage teaches nothing: after it targets are as likely as before


def patch_runs(
    store: Store,
    slugs: Sequence[str],
    patch: TailPatch,
    *,
    k: int = 10,
    task: str = "",
    limit: int | None = None,
    seed: int = 0,
    again: bool = False,
    hands: Hands[LoadedModel] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Measure the first k proponents of the runs' prompts; returns the number of (prompt, passage) pairs measured now.

    Args:
        slugs: runs of the patch's model.
        task: prompts of this task only.
        limit: so many prompts (of those with a target), drawn at random with `seed`, the same for
            every run of their set; a higher limit draws these and others.
        again: forget what was measured before.
        hands: who takes the steps; None: this process.

    Raises:
        UserError: a run was measured with other settings before, or a prompt cannot be asked.
    """
    with store.session() as session:
        runs = session.scalars(select(Run).where(Run.slug.in_(slugs)).order_by(Run.id)).all()
        model = next((run.model_id for run in runs), 0)
        for run in runs:
            _begin(session, run, patch.settings, again)
        todo: dict[int, Places] = {}
        known: Known = {}
        for run in runs:
            _gather(session, run, k, _chosen(session, run, task, limit, seed), todo, known)
        for run in session.scalars(select(Run).where(Run.model_id.in_({run.model_id for run in runs}))):
            if run not in runs and run.metrics.get("tail_patch_settings") == patch.settings:
                _gather(session, run, k, set(), {}, known)
        _reuse(session, todo, known)
    total, done = sum(map(len, todo.values())), 0
    pieces = _Pieces(store, todo, model)
    for made in (hands or own_hands(patch.model)).each(StepsTaken(patch), pieces.asked()):
        rows = pieces.measured(made)
        with store.session() as session:
            _save(session, rows)
        done += pieces.pairs
        if progress:
            progress(done, total)
    with store.session() as session:
        _summarise(session, [run.id for run in runs])
    return done


def _begin(session: Session, run: Run, settings: dict[str, Any], again: bool) -> None:
    """Figures of one run must all be of one kind: the settings are part of every figure.

    What was measured before goes with the figures made of it: stopped on the way, they would stand beside a step that
    they are not of.
    """
    earlier = run.metrics.get("tail_patch_settings")
    own = select(Result.id).where(Result.run_id == run.id)
    if again:
        session.execute(update(Retrieved).where(Retrieved.result_id.in_(own)).values(tail_patch=None))
        session.execute(update(Result).where(Result.run_id == run.id).values(tail_patch=None))
        session.execute(delete(Evaluation).where(Evaluation.run_id == run.id))
    elif earlier is None and session.scalar(
        select(Retrieved.rank).where(Retrieved.result_id.in_(own), Retrieved.tail_patch.is_not(None)).limit(1)
    ):
        raise UserError(
            f"The tail-patches of “{run.slug}” came with its file, which does not say by which step.",
            field="tail-patch",
            remedy="Give --again to measure all of them anew.",
        )
    elif earlier is not None and earlier != settings:
        raise UserError(
            f"The tail-patches of “{run.slug}” were measured with other settings:"
            f" {earlier.get('optimizer')} at {earlier.get('learning_rate')}, now"
            f" {settings['optimizer']} at {settings['learning_rate']}.",
            field="tail-patch",
            remedy="Give --again to measure all of them anew.",
        )
    forgotten = {"tail_patch": None} if again else {}
    run.metrics = {**run.metrics, **forgotten, "tail_patch_settings": settings}


def _chosen(session: Session, run: Run, task: str, limit: int | None, seed: int) -> set[int]:
    own = [Prompt.prompt_set_id == run.prompt_set_id, Prompt.target != ""]
    own += [Prompt.task == task] if task else []
    ids = list(session.scalars(select(Prompt.id).where(*own).order_by(Prompt.position)))
    return set(Random(seed).sample(ids, len(ids))[:limit])


def _gather(
    session: Session,
    run: Run,
    k: int,
    chosen: set[int],
    todo: dict[int, Places],
    known: Known,
) -> None:
    """What is to be measured, by passage, and the pairs that are known."""
    query = (
        select(
            Retrieved.passage_id, Retrieved.result_id, Retrieved.rank, Result.prompt_id, Retrieved.tail_patch
        )
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == "proponent", Retrieved.rank <= k)
    )
    for passage, result, rank, prompt, change in session.execute(query):
        if change is not None:
            known[(prompt, run.explains), passage] = change
        elif prompt in chosen:
            todo.setdefault(passage, {}).setdefault((prompt, run.explains), []).append((result, rank))


def _reuse(session: Session, todo: dict[int, Places], known: Known) -> None:
    """Take over what was measured for another run, and drop it from what is to do."""
    rows = []
    for passage, places in list(todo.items()):
        for asked in [each for each in places if (each, passage) in known]:
            rows += [_row(result, rank, known[asked, passage]) for result, rank in places.pop(asked)]
        if not places:
            del todo[passage]
    _save(session, rows)


class _Pieces:
    """What is to be measured, in pieces of some passages, and what comes of them, in the same order.

    Each piece begins with the prompts that none before it had, as they are before any step.
    """

    def __init__(self, store: Store, todo: Mapping[int, Places], model: int) -> None:
        self._store, self._todo, self._model = store, todo, model
        self._before: dict[Asked, float] = {}
        self._out: deque[tuple[list[Asked], list[int]]] = deque()
        self.pairs = 0

    def asked(self) -> Iterator[Piece]:
        """Each piece, read when it is wanted."""
        seen: set[Asked] = set()
        for ids in chunks(sorted(self._todo), CHUNK):
            wanted = {asked for id_ in ids for asked in self._todo[id_]}
            with self._store.session() as session:
                texts = lessons_of(session, ids)
                queries = _queries(session, wanted, self._model)
            new = sorted(wanted - seen)
            seen |= wanted
            self._out.append((new, ids))
            steps = [(texts[id_], [queries[asked] for asked in self._todo[id_]]) for id_ in ids]
            yield [(UNTAUGHT, [queries[asked] for asked in new]), *steps]

    def measured(self, made: list[list[float]]) -> list[dict[str, Any]]:
        """What is saved of the next piece; `pairs` are then those that it had."""
        new, ids = self._out.popleft()
        self._before.update(zip(new, made[0], strict=True))
        rows: list[dict[str, Any]] = []
        for id_, ends in zip(ids, made[1:], strict=True):
            places = self._todo[id_]
            for asked, end in zip(places, ends, strict=True):
                change = 100 * (end - self._before[asked])
                rows += [_row(result, rank, change) for result, rank in places[asked]]
        self.pairs = sum(len(self._todo[id_]) for id_ in ids)
        return rows


def _queries(session: Session, wanted: Collection[Asked], model: int) -> dict[Asked, Query]:
    found = session.execute(
        select(Prompt.id, Prompt.text, Prompt.target, Prompt.choices)
        .add_columns(Output.said, Output.said_tokens, Output.answer)
        .outerjoin(Output, and_(Output.prompt_id == Prompt.id, Output.model_id == model))
        .where(Prompt.id.in_({prompt for prompt, _ in wanted}))
    )
    of = {
        row.id: partial(
            Query.explaining,
            prompt=row.text,
            target=row.target,
            said=row.said,
            tokens=row.said_tokens,
            answer=row.answer,
            whole=bool(row.choices),
        )
        for row in found
    }
    return {(prompt, explains): of[prompt](explains) for prompt, explains in wanted}


def _row(result: int, rank: int, change: float) -> dict[str, Any]:
    return {"result_id": result, "side": "proponent", "rank": rank, "tail_patch": change}


def _save(session: Session, rows: list[dict[str, Any]]) -> None:
    for piece in chunks(rows, 2_000):
        session.execute(update(Retrieved), piece)


def _summarise(session: Session, runs: Sequence[int]) -> None:
    """The mean over each prompt's measured proponents, for lists of prompts."""
    mean = (
        select(func.avg(Retrieved.tail_patch))
        .where(Retrieved.result_id == Result.id, Retrieved.side == "proponent")
        .scalar_subquery()
    )
    session.execute(update(Result).where(Result.run_id.in_(runs)).values(tail_patch=mean))
