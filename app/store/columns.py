"""A run's prompts as columns: what lists, facets and sorts need of each, one after the other in the run's order.

Reading them from their tables takes seconds of a million prompts, so that of a large run they are kept beside it when it is
written (`keep_columns`), and of any run in this process until it changes. Whatever a list shows of a prompt is still read from
its tables: nothing here is shown.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, case, delete, func, insert, select
from sqlalchemy.orm import Session

from app.store.examples import first_judged
from app.store.memory import remembered_each, state_of
from app.store.slicing import ENTAILED, FACETS, SORTS, joined
from app.store.tables import KeptColumns, Result, Retrieved, Run
from app.words.passages import PROPONENT

KEPT_FROM = 2_000  # prompts of a run; fewer are read in less time than anybody notices
FIRST = 10  # proponents that recall and precision look at
AT_ONCE = 10_000  # rows read at a time
MOST_FOUND = 100  # passages that a run found for most of its prompts
FORMAT = 4  # of what is kept

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """Arrays of `n`, a row for each prompt of a run, by its position there.

    Args:
        positions: ascending.
        prompts: ids.
        codes: of each facet's value in `values`, −1 where there is none.
        known: somebody judged whether its passages state it.
        ranks: of the first proponent that states it, 0 where none does.
        hits: how many of the first ten proponents state it.
        by_ais: its proponents have AIS scores; ais_ranks, ais_hits: as `ranks` and `hits`, by a score above `ENTAILED`.
        patches: mean tail-patch in percentage points, NaN where nothing was measured.
        orders: by name of a sort, the rows in its order.
    """

    positions: Ints
    prompts: Longs
    codes: Mapping[str, Ints]
    values: Mapping[str, Sequence[str]]
    known: Bools
    ranks: Ints
    hits: Ints
    by_ais: Bools
    ais_ranks: Ints
    ais_hits: Ints
    patches: Floats
    orders: Mapping[str, Ints]
    _placed: dict[str, Ints] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.positions)

    @cached_property
    def nbytes(self) -> int:
        """Memory that they take."""
        arrays: list[NDArray[Any]] = [
            self.positions,
            self.prompts,
            *(getattr(self, name) for name in _MEASURES),
        ]
        return sum(each.nbytes for each in [*arrays, *self.codes.values(), *self.orders.values()])

    def code(self, facet: str, value: str) -> int:
        """The number of a facet's value; one that no row has where the run knows no such value."""
        return self.values[facet].index(value) if value in self.values[facet] else -2

    def places(self, sort: str) -> Ints:
        """Where each row stands in the order of a sort."""
        if sort not in self._placed:
            order = self.orders[sort]
            places = np.empty_like(order)
            places[order] = np.arange(len(order), dtype=order.dtype)
            self._placed[sort] = places
        return self._placed[sort]

    def rows_at(self, positions: Sequence[int]) -> Ints:
        """The rows at these positions, ascending; those that are not there are left out."""
        return np.flatnonzero(np.isin(self.positions, positions)).astype(np.int32)

    def rows_of(self, prompts: Sequence[int]) -> Ints:
        """The rows of these prompts, ascending; those that are not there are left out."""
        return np.flatnonzero(np.isin(self.prompts, prompts)).astype(np.int32)


def columns_of(session: Session, runs: Sequence[Run]) -> dict[int, Columns]:
    """Each run's columns by its id: of this process's memory, as they were kept, or read now."""
    return remembered_each(session, "columns", runs, lambda missing: _found(session, missing))


def keep_columns(engine: Engine) -> None:
    """Keep the columns of every large run that changed since they were kept, in a short transaction each."""
    with Session(engine) as session:
        large = select(Run).where(Run.status == "done", Run.prompt_count >= KEPT_FROM)
        runs = session.scalars(large).all()
        known = dict(session.execute(select(KeptColumns.run_id, KeptColumns.state)).all())
        for run in runs:
            if known.get(run.id) != (mark := mark_of(run)):
                (columns,) = _read(session, [run])
                session.execute(delete(KeptColumns).where(KeptColumns.run_id == run.id))
                row = {
                    "run_id": run.id,
                    "state": mark,
                    "data": _packed(columns),
                    "found": counted_now(session, run),
                }
                session.execute(insert(KeptColumns), row)
                session.commit()


def counted_now(session: Session, run: Run) -> list[tuple[int, int]]:
    """The passages that are proponents of most of its prompts, with how many: every retrieved passage is read."""
    times = func.count().label("times")
    rows = (
        select(Retrieved.passage_id, times)
        .join(Result, Result.id == Retrieved.result_id)
        .where(Result.run_id == run.id, Retrieved.side == PROPONENT)
        .group_by(Retrieved.passage_id)
        .order_by(times.desc(), Retrieved.passage_id)
        .limit(MOST_FOUND)
    )
    return [(id_, count) for id_, count in session.execute(rows)]


def _found(session: Session, runs: Sequence[Run]) -> list[Columns]:
    marks = {run.id: mark_of(run) for run in runs if run.prompt_count >= KEPT_FROM}
    kept: dict[int, Columns] = {}
    if marks:
        rows = select(KeptColumns.run_id, KeptColumns.state, KeptColumns.data)
        for id_, state, data in session.execute(rows.where(KeptColumns.run_id.in_(marks))):
            if state == marks[id_]:
                kept[id_] = _unpacked(data)
    missing = [run for run in runs if run.id not in kept]
    found = kept | {
        run.id: each for run, each in zip(missing, _read(session, missing) if missing else [], strict=True)
    }
    return [found[run.id] for run in runs]


def mark_of(run: Run, form: int = FORMAT) -> str:
    """What is kept of a run was worked out from, as a hash; `form`: of what is kept."""
    return sha256(repr((form, state_of(run))).encode()).hexdigest()


def _of_list(found: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """What is `found` in the proponents of a `Result` for which all of this holds; by their key."""
    own = (Retrieved.result_id == Result.id, Retrieved.side == PROPONENT)
    return select(found).where(*own, *conditions).scalar_subquery()


def _hits(states: ColumnElement[bool]) -> ColumnElement[Any]:
    return _of_list(func.count(), Retrieved.rank <= FIRST, states)


_ENTAILS = Retrieved.ais_score > ENTAILED
_MEASURES: dict[
    str, ColumnElement[Any]
] = {  # the list is looked into only where the result does not say it all
    "known": case((Result.first_correct_rank.is_not(None), 1), (first_judged(), 1), else_=0),
    "ranks": func.coalesce(Result.first_correct_rank, 0),
    "hits": case((Result.first_correct_rank <= FIRST, _hits(Retrieved.correct.is_(True))), else_=0),
    "by_ais": case((Result.best_ais.is_not(None), 1), else_=0),
    "ais_ranks": case(
        (Result.best_ais > ENTAILED, _of_list(func.coalesce(func.min(Retrieved.rank), 0), _ENTAILS)), else_=0
    ),
    "ais_hits": case((Result.best_ais > ENTAILED, _hits(_ENTAILS)), else_=0),
    "patches": Result.tail_patch.expression,
}
_BOOLS, _FLOATS = ("known", "by_ais"), ("patches",)


def _read(session: Session, runs: Sequence[Run]) -> list[Columns]:
    """From the tables, in one query."""
    values = {name: value() for name, (value, _) in SORTS.items()}
    query = (
        joined()
        .add_columns(Result.run_id, Result.position, Result.prompt_id)
        .add_columns(*(FACETS[name].label(f"facet_{name}") for name in FACETS))
        .add_columns(*(each.label(f"measure_{name}") for name, each in _MEASURES.items()))
        .add_columns(*(each.label(f"sort_{name}") for name, each in values.items()))
        .where(Result.run_id.in_([run.id for run in runs]))
        .order_by(Result.run_id, Result.position)
    )
    readings = {run.id: _Reading() for run in runs}
    for rows in session.execute(query, execution_options={"yield_per": AT_ONCE}).partitions():
        for id_ in dict.fromkeys(row[0] for row in rows):
            readings[id_].add([row[1:] for row in rows if row[0] == id_])
    return [readings[run.id].columns() for run in runs]


class _Reading:
    """Rows of one run that become columns, some thousands at a time."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[str, int]] = {name: {} for name in FACETS}
        self._pieces: list[tuple[NDArray[Any], ...]] = []

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows of the query of `_read` without their run, in their order."""
        columns = list(zip(*rows, strict=True))
        position, prompt, *rest = columns
        facets, numbers = rest[: len(FACETS)], rest[len(FACETS) :]
        codes = (
            np.array([-1 if v is None else known.setdefault(str(v), len(known)) for v in column], np.int32)
            for known, column in zip(self._codes.values(), facets, strict=True)
        )
        floats = (np.array(column, np.float64) for column in numbers)
        self._pieces.append((np.array(position, np.int32), np.array(prompt, np.int64), *codes, *floats))

    def columns(self) -> Columns:
        """All of them."""
        width = 2 + len(FACETS) + len(_MEASURES) + len(SORTS)
        none = [np.empty(0, np.int64)] * width
        whole = [np.concatenate(each) for each in zip(*self._pieces, strict=True)] or none
        measured: dict[str, Any] = dict(zip(_MEASURES, whole[2 + len(FACETS) :], strict=False))
        sorted_by = whole[2 + len(FACETS) + len(_MEASURES) :]
        return Columns(
            positions=whole[0].astype(np.int32),
            prompts=whole[1].astype(np.int64),
            codes={name: _narrow(each) for name, each in zip(FACETS, whole[2:], strict=False)},
            values={name: list(known) for name, known in self._codes.items()},
            **{name: each.astype(_type_of(name)) for name, each in measured.items()},
            orders={
                name: np.argsort(-each if descending else each, kind="stable").astype(np.int32)
                for (name, (_, descending)), each in zip(SORTS.items(), sorted_by, strict=True)
            },
        )


def _type_of(measure: str) -> type[np.generic]:
    return np.bool_ if measure in _BOOLS else np.float64 if measure in _FLOATS else np.int32


def _narrow(codes: NDArray[Any]) -> NDArray[Any]:
    """In two bytes where they fit."""
    return codes.astype(np.int16 if codes.max(initial=0) < 1 << 15 else np.int32)


def _packed(columns: Columns) -> bytes:
    file = io.BytesIO()
    np.savez(
        file,
        allow_pickle=False,
        positions=columns.positions,
        prompts=columns.prompts,
        **{name: getattr(columns, name) for name in _MEASURES},
        values=np.frombuffer(json.dumps(columns.values).encode(), np.uint8),
        codes=np.stack(list(columns.codes.values())),
        orders=np.stack(list(columns.orders.values())),
    )
    return file.getvalue()


def _unpacked(data: bytes) -> Columns:
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        measured: dict[str, Any] = {name: kept[name] for name in _MEASURES}
        return Columns(
            positions=kept["positions"],
            prompts=kept["prompts"],
            codes=dict(zip(FACETS, kept["codes"], strict=True)),
            values=json.loads(kept["values"].tobytes()),
            **measured,
            orders=dict(zip(SORTS, kept["orders"], strict=True)),
        )
