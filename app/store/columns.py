"""A run's prompts as columns: what lists, facets and sorts need of each, one after the other in the run's order.

Reading them from their tables takes seconds of a million prompts, so that those of a large run are kept beside it when it is
written (`keep_columns`), a row of a table for each: a page reads the few that it needs, once, and they are remembered until
the run changes. Whatever a list shows of a prompt is still read from its tables: nothing here is shown.
"""

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property, partial
from hashlib import sha256
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, func, insert, select
from sqlalchemy.orm import Session

from app.store.column_reading import MEASURES, ReadColumns, order_of, read_columns
from app.store.kept_arrays import packed, unpacked
from app.store.memory import remembered, remembered_each, state_of
from app.store.tables import KeptColumn, Result, Retrieved, Run
from app.store.tally import Bools, Ints, Tally, tallied
from app.words.passages import PROPONENT

KEPT_FROM = 2_000  # prompts of a run; fewer are read in less time than anybody notices
LOOKED_AT = 10_000  # rows at a time where the first few are wanted
MOST_FOUND = 100  # passages that a run found for most of its prompts
SPARSE = (
    16  # ids between a column's first and last, for each that it has, up to which each has a place in a table
)
FORMAT = 5  # of what is kept
TALLY, FOUND = "tally", "found"  # what is kept beside the columns


class NotKept(LookupError):
    """Nothing is kept of the run as it is now."""


class Columns:
    """Arrays of `n`, a row for each prompt of a run, by its position there; each is read when it is asked for.

    Columns by name: `positions` (ascending), `prompts` (ids), `cells` (its combination of facet values in the tally), and what
    `tallied` sums up: `known` (somebody judged whether its passages state it), `ranks` (of the first proponent that states it,
    0 where none does), `hits` (how many of the first ten proponents state it), `by_ais` (its proponents have AIS scores),
    `ais_ranks` and `ais_hits` (the same by a score above `ENTAILED`), `patches` (mean tail-patch in percentage points, NaN where
    nothing was measured).

    Args:
        session: in which columns are read that are not known yet.
        tally: of all its prompts.
    """

    def __init__(self, session: Session, run: Run, tally: Tally) -> None:
        self._session, self._run, self.tally = session, run, tally

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.positions)

    @cached_property
    def positions(self) -> Ints:
        """(n,) in the run, ascending."""
        return self.array("positions")

    @property
    def everything(self) -> Ints:
        """(n,) all rows in the run's order."""
        return self._made("everything", lambda: np.arange(len(self), dtype=np.int32))

    def order(self, sort: str) -> Ints:
        """(n,) the rows in the order of a sort."""
        return self.array(order_of(sort))

    def places(self, sort: str) -> Ints:
        """(n,) where each row stands in the order of a sort."""

        def made() -> Ints:
            order = self.order(sort)
            places = np.empty_like(order)
            places[order] = np.arange(len(order), dtype=order.dtype)
            return places

        return self._made(f"places {sort}", made)

    def firsts(self, sort: str, chosen: Mapping[str, str], size: int) -> Ints:
        """The first rows in the order of a sort that have all these facets' values; no further is looked than to the last."""
        wanted, cells, order = self.tally.having(chosen), self.array("cells"), self.order(sort)
        found = [np.empty(0, np.int32)]
        for start in range(0, len(order), LOOKED_AT):
            rows = order[start : start + LOOKED_AT]
            found.append(rows[wanted[cells[rows]]])
            if sum(map(len, found)) >= size:
                break
        return np.concatenate(found)[:size]

    def having(self, chosen: Mapping[str, str]) -> Bools:
        """(n,) which rows have all these facets' values."""
        return self.tally.having(chosen)[self.array("cells")]

    def tally_of(self, rows: Ints) -> Tally:
        """The tally of some rows."""
        measures = {name: self.array(name)[rows] for name in MEASURES}
        return tallied(self.tally.values, self.tally.codes, self.array("cells")[rows], measures)

    def rows_at(self, positions: Sequence[int] | Ints) -> Ints:
        """The rows at these positions, ascending; those that are not there are left out."""
        return _rows(self.positions, positions)

    def rows_of(self, prompts: Sequence[int] | Ints) -> Ints:
        """The rows of these prompts, ascending; those that are not there are left out."""
        return _rows(self.array("prompts"), prompts)

    def array(self, name: str) -> NDArray[Any]:
        """A column: of this process's memory, as it was kept, or read now with all others."""
        session, run = self._session, self._run
        if run.prompt_count >= KEPT_FROM:
            with suppress(NotKept):
                return self._made(f"column {name}", lambda: unpacked(_kept(session, run, name)))
        return _whole(session, [run])[run.id].arrays[name]

    def _made(self, what: str, make: Any) -> NDArray[Any]:
        return cast(NDArray[Any], remembered(self._session, what, [self._run], make))


def _rows(column: Ints, wanted: Sequence[int] | Ints) -> Ints:
    """The rows of these values; `numpy.isin` would make whole columns of eight bytes."""
    if not len(wanted):
        return np.empty(0, np.int32)
    asked, least, most = np.asarray(wanted, np.int64), int(column.min(initial=0)), int(column.max(initial=0))
    if most - least > SPARSE * len(column):
        return np.flatnonzero(np.isin(column, asked)).astype(np.int32)
    there = np.zeros(most - least + 1, np.bool_)
    there[asked[(asked >= least) & (asked <= most)] - least] = True
    return np.flatnonzero(there[column - least]).astype(np.int32)


def columns_of(session: Session, runs: Sequence[Run]) -> dict[int, Columns]:
    """Each run's columns by its id."""
    known = remembered_each(session, TALLY, runs, partial(_tallies, session))
    return {run.id: Columns(session, run, known[run.id]) for run in runs}


def _tallies(session: Session, runs: Sequence[Run]) -> list[Tally]:
    large = {run.id: mark_of(run) for run in runs if run.prompt_count >= KEPT_FROM}
    found: dict[int, Tally] = {}
    if large:
        rows = select(KeptColumn.run_id, KeptColumn.state, KeptColumn.data)
        for id_, state, data in session.execute(
            rows.where(KeptColumn.run_id.in_(large), KeptColumn.name == TALLY)
        ):
            if state == large[id_]:
                found[id_] = _unpacked_tally(data)
    missing = [run for run in runs if run.id not in found]
    found |= {id_: each.tally for id_, each in _whole(session, missing).items()} if missing else {}
    return [found[run.id] for run in runs]


def _whole(session: Session, runs: Sequence[Run]) -> dict[int, ReadColumns]:
    """All columns of runs that are small, or of which nothing is kept."""
    return remembered_each(
        session, "columns", runs, lambda missing: list(map(ReadColumns.of, read_columns(session, missing)))
    )


def _kept(session: Session, run: Run, name: str) -> bytes:
    """
    Raises:
        NotKept: nothing is, or of the run as it was.
    """
    rows = select(KeptColumn.data).where(KeptColumn.run_id == run.id, KeptColumn.name == name)
    data = session.scalar(rows.where(KeptColumn.state == mark_of(run)))
    if data is None:
        raise NotKept
    return data


def found_most(session: Session, run: Run) -> list[tuple[int, int]]:
    """The passages that are proponents of most of its prompts, with how many: as it was kept, or else counted now."""
    try:
        return [(id_, times) for id_, times in json.loads(_kept(session, run, FOUND))]
    except NotKept:
        return counted_now(session, run)


def keep_columns(engine: Engine) -> None:
    """Keep the columns of every large run that changed since they were kept, in a short transaction each."""
    with Session(engine) as session:
        large = select(Run).where(Run.status == "done", Run.prompt_count >= KEPT_FROM)
        states = select(KeptColumn.run_id, KeptColumn.state).where(KeptColumn.name == TALLY)
        runs, known = session.scalars(large).all(), dict(session.execute(states).all())
        for run in runs:
            if known.get(run.id) != mark_of(run):
                with closing(read_columns(session, [run])[0]) as read:
                    found = counted_now(session, run)
                    session.execute(delete(KeptColumn).where(KeptColumn.run_id == run.id))
                    _keep(session, run, TALLY, _packed_tally(read.tally()))
                    _keep(session, run, FOUND, json.dumps(found).encode())
                    for name, array in read.columns():
                        _keep(session, run, name, packed(array))
                    session.commit()


def _keep(session: Session, run: Run, name: str, data: bytes) -> None:
    row = {"run_id": run.id, "name": name, "state": mark_of(run), "data": data}
    session.execute(insert(KeptColumn), row)


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


def mark_of(run: Run, form: int = FORMAT) -> str:
    """What is kept of a run was worked out from, as a hash; `form`: of what is kept."""
    return sha256(repr((form, state_of(run))).encode()).hexdigest()


def _packed_tally(tally: Tally) -> bytes:
    file = io.BytesIO()
    values = np.frombuffer(json.dumps(tally.values).encode(), np.uint8)
    np.savez(file, allow_pickle=False, values=values, codes=tally.codes, sums=tally.sums)
    return file.getvalue()


def _unpacked_tally(data: bytes) -> Tally:
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        return Tally(json.loads(kept["values"].tobytes()), kept["codes"], kept["sums"])
