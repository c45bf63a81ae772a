"""A run's columns out of its tables: what it takes seconds to read of a million prompts, and what nobody reads twice."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from app.store.examples import first_judged
from app.store.kept_arrays import narrowest
from app.store.slicing import ENTAILED, FACETS, SORTS, joined
from app.store.tables import Result, Retrieved, Run
from app.store.tally import FIRST, NAMES, Tally, tallied
from app.words.passages import PROPONENT

AT_ONCE = 5_000  # rows read at a time
IN_MEMORY = 1 << 20  # bytes of a column that is read


@dataclass(frozen=True, eq=False)
class ReadColumns:
    """The columns of a run by their names, see `app.store.columns.Columns`, and its tally."""

    arrays: dict[str, NDArray[Any]]
    tally: Tally

    @classmethod
    def of(cls, reading: "RunReading") -> Self:
        """All that was read; the reading is over."""
        with closing(reading):
            return cls(dict(reading.columns()), reading.tally())

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(each.nbytes for each in self.arrays.values())


def _of_list(found: ColumnElement[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """What is `found` in the proponents of a `Result` for which all of this holds; by their key."""
    own = (Retrieved.result_id == Result.id, Retrieved.side == PROPONENT)
    return select(found).where(*own, *conditions).scalar_subquery()


def _hits(states: ColumnElement[bool]) -> ColumnElement[Any]:
    return _of_list(func.count(), Retrieved.rank <= FIRST, states)


_ENTAILS = Retrieved.ais_score > ENTAILED
MEASURES: dict[
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
_FLOATS = ("patches", *SORTS)


def order_of(sort: str) -> str:
    """The name of the column that has a sort's rows in its order."""
    return f"order {sort}"


def read_columns(session: Session, runs: Sequence[Run]) -> "list[RunReading]":
    """From the tables, in one query; whoever has them closes them."""
    values = {name: value() for name, (value, _) in SORTS.items()}
    query = (
        joined()
        .add_columns(Result.run_id, Result.position, Result.prompt_id)
        .add_columns(*(each.label(f"measure_{name}") for name, each in MEASURES.items()))
        .add_columns(*(each.label(f"sort_{name}") for name, each in values.items()))
        .add_columns(*(FACETS[name].label(f"facet_{name}") for name in NAMES))
        .where(Result.run_id.in_([run.id for run in runs]))
        .order_by(Result.run_id, Result.position)
    )
    with ExitStack() as stack:
        readings = {run.id: stack.enter_context(closing(RunReading())) for run in runs}
        for rows in session.execute(query, execution_options={"yield_per": AT_ONCE}).partitions():
            for id_ in dict.fromkeys(row[0] for row in rows):
                readings[id_].add([row[1:] for row in rows if row[0] == id_])
        stack.pop_all()
        return [readings[run.id] for run in runs]


_NUMBERS = ("positions", "prompts", *MEASURES, *SORTS)


class RunReading:
    """Rows of one run that become columns, some thousands at a time. Those of a large run wait on the disk until they are
    asked for, one after the other: a million prompts take a tenth of the memory."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Any, ...], int] = {}
        # Not in a `with`: they are open as long as the reading, until `close`.
        self._files = {name: SpooledTemporaryFile(IN_MEMORY) for name in (*_NUMBERS, "cells")}  # noqa: SIM115

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows of the query of `read_columns` without their run, in their order."""
        columns = list(zip(*rows, strict=True))
        for name, column in zip(_NUMBERS, columns, strict=False):
            self._files[name].write(np.array(column, _kind(name)).tobytes())
        known = self._cells
        cells = [known.setdefault(each, len(known)) for each in zip(*columns[len(_NUMBERS) :], strict=True)]
        self._files["cells"].write(np.array(cells, _kind("cells")).tobytes())

    def close(self) -> None:
        """Let go of it."""
        for file in self._files.values():
            file.close()

    def columns(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Each by its name."""
        for name in ("positions", "prompts", "cells", *MEASURES):
            yield name, self._whole(name)
        for sort, (_, descending) in SORTS.items():
            values = self._whole(sort)
            order = np.argsort(-values if descending else values, kind="stable").astype(np.int32)
            yield order_of(sort), order

    def tally(self) -> Tally:
        """Of all the prompts."""
        values, codes = self._combinations()
        return tallied(values, codes, self._whole("cells"), {name: self._whole(name) for name in MEASURES})

    def _whole(self, name: str) -> NDArray[Any]:
        file = self._files[name]
        file.seek(0)
        values = np.frombuffer(file.read(), _kind(name))
        return values if name in _FLOATS else narrowest(values)

    def _combinations(self) -> tuple[list[list[str]], NDArray[Any]]:
        """Of each facet its values, and (combinations, facets) codes: −1 where there is none."""
        values: list[dict[str, int]] = [{} for _ in NAMES]
        codes = np.full((len(self._cells), len(NAMES)), -1, np.int32)
        for number, each in enumerate(self._cells):
            for at, value in enumerate(each):
                if value is not None:
                    codes[number, at] = values[at].setdefault(str(value), len(values[at]))
        return [list(known) for known in values], codes


def _kind(name: str) -> type[np.generic]:
    """The type in which a column is read; a tail-patch is told to a hundredth of a point."""
    return np.float32 if name == "patches" else np.float64 if name in _FLOATS else np.int64
