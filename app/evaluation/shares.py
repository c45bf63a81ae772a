"""What each prompt of a run adds to each figure, as columns: a figure is the mean of a column over some of its rows.

A run of a million prompts has ten million judgements. They are read when it is evaluated, some thousands of prompts at a
time, and what they come to is kept beside a large run, a row of the table for each column; a page reads the one it shows.
"""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, aliased

from app.evaluation.judged import Judged, judged_prompts, slice_of
from app.evaluation.measures import measures
from app.evaluation.metrics import THRESHOLD
from app.store.columns import KEPT_FROM, mark_of
from app.store.kept_arrays import narrowest, packed, unpacked
from app.store.memory import remembered
from app.store.tables import KeptShare, Prompt, Run
from app.words.measures import DATE_LM, DATE_LM_AT
from app.words.passages import TYPES
from app.words.slices import EVALUATED

FORMAT = 3  # of what is kept
PROMPTS, KINDS = "prompts", "kinds at "
PARTS = ("task", *EVALUATED)  # columns of names
_NUMBERS = {kind: number for number, kind in enumerate(TYPES, start=1)}

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NameColumn:
    """A column of names: (n,) codes into `names`, −1 where there is none."""

    codes: NDArray[np.int32]
    names: Sequence[str]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.codes.nbytes

    def rows(self, name: str) -> NDArray[np.bool_]:
        """(n,): which rows have this name."""
        return np.asarray(self.codes == (self.names.index(name) if name in self.names else -2))


@dataclass(frozen=True, eq=False)
class Shares:
    """Columns of n, a row for each prompt of a run, in the run's order; all of them, or those that were asked for.

    Args:
        prompts: (n,) ids.
        parts: task and slices (`PARTS`).
        values: measure -> (n,) shares, NaN where the measure is not known.
        kinds: column of a rank (`kinds_column`) -> (n,) types of the passages there, numbered from 1 as in `TYPES`; 0 where there
            is none of these.
        lengths: (n,) proponents.
        counted: (n,) it was judged, and it is known how many passages state its fact.
    """

    prompts: Longs
    parts: Mapping[str, NameColumn]
    values: Mapping[str, Floats]
    kinds: Mapping[str, NDArray[np.uint8]]
    lengths: NDArray[np.int32]
    counted: NDArray[np.bool_]

    @cached_property
    def nbytes(self) -> int:
        """Memory that they take."""
        arrays: list[NDArray[Any]] = [
            self.prompts,
            self.lengths,
            self.counted,
            *self.values.values(),
            *self.kinds.values(),
        ]
        return sum(each.nbytes for each in arrays) + sum(each.nbytes for each in self.parts.values())

    @classmethod
    def of(cls, prompts: Iterable[Judged], threshold: float = THRESHOLD) -> "Shares":
        """Of judged prompts, one after the other.

        Args:
            threshold: AIS scores from here on state the fact.
        """
        known = measures(threshold)
        values = {name: array("d") for name in known}
        parts: dict[str, tuple[array[int], dict[str, int]]] = {name: (array("i"), {}) for name in PARTS}
        ids, lengths, counted, kinds = array("q"), array("i"), bytearray(), []
        for prompt in prompts:
            ids.append(prompt.prompt_id)
            lengths.append(len(prompt.correct))
            counted.append(prompt.judgeable and prompt.counted)
            kinds.append(bytes(_NUMBERS.get(kind or "", 0) for kind in prompt.kinds))
            for name, measure in known.items():
                value = measure(prompt)
                values[name].append(np.nan if value is None else value)
            for name, (codes, names) in parts.items():
                part = prompt.task if name == "task" else slice_of(prompt, name)
                codes.append(-1 if part is None else names.setdefault(part, len(names)))
        made = cls(
            prompts=np.array(ids, np.int64),
            parts={
                name: NameColumn(np.array(codes, np.int32), list(names))
                for name, (codes, names) in parts.items()
            },
            values={name: np.array(column, np.float64) for name, column in values.items()},
            kinds={kinds_column(rank): column for rank, column in enumerate(_by_rank(kinds), start=1)},
            lengths=np.array(lengths, np.int32),
            counted=np.array(counted, np.bool_),
        )
        return made._without_short_lists()

    def _without_short_lists(self) -> "Shares":
        """DATE-LM's measures are known for tasks of which some list is as long as they look."""
        for task in self.parts["task"].names:
            rows = self.parts["task"].rows(task)
            if self.lengths[rows].max(initial=0) < DATE_LM_AT:
                for name in DATE_LM:
                    self.values[name][rows] = np.nan
        return self

    def kinds_at(self, rank: int) -> NDArray[np.uint8]:
        """(n,) types of the passages at a rank, 0 where there is none or it has none."""
        column = self.kinds.get(kinds_column(rank))
        return np.zeros(len(self.prompts), np.uint8) if column is None else column

    def rows(self, task: str, slices: Mapping[str, str] | None = None) -> NDArray[np.bool_]:
        """(n,): which rows are of the task and in all the slices, as in `{"bucket": "3", "right": "yes"}`."""
        rows = self.parts["task"].rows(task)
        for by, value in (slices or {}).items():
            rows = rows & self.parts[by].rows(value)
        return rows


def shares_of(session: Session, run: Run, names: Sequence[str]) -> Shares:
    """Some columns of a run (`names`: measures, slices, `kinds_column`; prompts and task always): as they were kept when it was
    evaluated, else read now from its judgements."""
    wanted = (PROMPTS, "task", *names)
    if run.prompt_count >= KEPT_FROM:
        kept = {
            name: remembered(session, f"share {name}", [run], partial(_kept, session, run, name))
            for name in wanted
        }
        # A rank at which no list has a passage is not kept.
        if all(each is not None or name.startswith(KINDS) for name, each in kept.items()):
            return _chosen({name: each for name, each in kept.items() if each is not None})
    return remembered(
        session, "shares", [run], lambda: Shares.of(judged_prompts(session, run), threshold_of(run))
    )


def threshold_of(run: Run) -> float:
    """The AIS score from which on its passages state the fact."""
    return float(run.metrics.get("ais_threshold", THRESHOLD))


def keep_shares(session: Session, run: Run, shares: Shares) -> None:
    """Keep the columns of a large run, until `name_kept` under no state: nobody finds them."""
    session.execute(delete(KeptShare).where(KeptShare.run_id == run.id))
    if run.prompt_count < KEPT_FROM:
        return
    columns: dict[str, NDArray[Any] | NameColumn] = {
        PROMPTS: shares.prompts,
        **shares.kinds,
        **shares.parts,
        **shares.values,
    }
    for name, column in columns.items():
        row = {"run_id": run.id, "name": name, "state": "", "data": _packed(column)}
        session.execute(insert(KeptShare), row)


def name_kept(session: Session, run: Run) -> None:
    """What was kept is of the run as it is now, its metrics written."""
    session.execute(update(KeptShare).where(KeptShare.run_id == run.id).values(state=mark_of(run, FORMAT)))


def paired(session: Session, run: Run, other: Run, ours: Longs, theirs: Longs) -> tuple[Longs, Longs]:
    """The rows of prompts that both runs have, in the order of ours. Runs of different prompt sets have those with the
    same id of their own in common.

    Args:
        ours, theirs: (n,) and (m,) prompts of the runs, by the store's ids.

    Returns:
        (k,) rows of ours and (k,) rows of theirs.
    """
    if run.prompt_set_id != other.prompt_set_id:
        mine, its = aliased(Prompt), aliased(Prompt)
        same = (
            select(mine.id, its.id)
            .join(its, its.external_id == mine.external_id)
            .where(mine.prompt_set_id == run.prompt_set_id, its.prompt_set_id == other.prompt_set_id)
        )
        named = dict(session.execute(same).all())
        ours = np.array([named.get(id_, -1) for id_ in ours.tolist()], np.int64)
    _, rows, others = np.intersect1d(ours, theirs, return_indices=True)
    order = np.argsort(rows, kind="stable")
    return rows[order], others[order]


def kinds_column(rank: int) -> str:
    """The name of the column of types at a rank."""
    return f"{KINDS}{rank}"


def _by_rank(kinds: Sequence[bytes]) -> NDArray[np.uint8]:
    """(ranks, n) of rows that are not equally long."""
    most = max(map(len, kinds), default=0)
    table = np.frombuffer(b"".join(each.ljust(most, b"\0") for each in kinds), np.uint8)
    return np.ascontiguousarray(table.reshape(len(kinds), most).T)


def _kept(session: Session, run: Run, name: str) -> NDArray[Any] | NameColumn | None:
    row = select(KeptShare.data).where(KeptShare.run_id == run.id, KeptShare.name == name)
    data = session.scalar(row.where(KeptShare.state == mark_of(run, FORMAT)))
    return None if data is None else _unpacked(data, named=name in PARTS)


def _chosen(columns: Mapping[str, Any]) -> Shares:
    prompts = columns[PROMPTS]
    none = np.empty(0, np.int32)
    return Shares(
        prompts=prompts,
        parts={name: columns[name] for name in PARTS if name in columns},
        values={
            name: each
            for name, each in columns.items()
            if name not in (PROMPTS, *PARTS) and not name.startswith(KINDS)
        },
        kinds={name: each for name, each in columns.items() if name.startswith(KINDS)},
        lengths=none,
        counted=none.astype(np.bool_),
    )


def _packed(column: NDArray[Any] | NameColumn) -> bytes:
    """An array; of names their codes, and behind them the names on a line of their own."""
    if isinstance(column, NameColumn):
        return packed(narrowest(column.codes)) + b"\n" + json.dumps(list(column.names)).encode()
    return packed(column)


def _unpacked(data: bytes, *, named: bool) -> NDArray[Any] | NameColumn:
    if not named:
        return unpacked(data)
    codes, _, names = data.rpartition(b"\n")  # JSON has no line's end inside
    return NameColumn(unpacked(codes), json.loads(names))
