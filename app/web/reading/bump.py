"""Where each passage stands in each ranking, as a drawing: a column per run, a line per passage that moved.

Pure: ranks in, coordinates out. The template draws them; the same numbers stand in the page's JSON.
"""

from collections.abc import Hashable, Sequence

from pydantic import BaseModel

ROW = 26
COLUMN = 190
PAD = 20


class RankPoint(BaseModel):
    """One passage in one run: its rank from 1, whether it states the fact, whether no other run has it."""

    x: float
    y: float
    rank: int
    stated: bool | None
    alone: bool


class RankCurve(BaseModel):
    """The same passage in two neighbouring runs; a curve that leaves and arrives level."""

    path: str
    stated: bool | None
    rank_from: int
    rank_to: int


class Bump(BaseModel):
    """The drawing: its size, dots and lines."""

    width: int
    height: int
    dots: list[RankPoint]
    lines: list[RankCurve]


def bump(cut: Sequence[Sequence[tuple[Hashable, bool | None, bool]]]) -> Bump:
    """The drawing of rankings of (passage, whether it states the fact, whether no other run has it).

    A passage is joined between neighbouring columns only; one that a neighbour lacks ends there.
    """
    rows = max((len(ranking) for ranking in cut), default=0)
    dots, lines = [], []
    for column, ranking in enumerate(cut):
        beside = cut[column + 1] if column + 1 < len(cut) else ()
        right = {key: rank for rank, (key, *_) in enumerate(beside)}
        for rank, (key, stated, alone) in enumerate(ranking):
            x, y = PAD + column * COLUMN, PAD + rank * ROW
            dots.append(RankPoint(x=x, y=y, rank=rank + 1, stated=stated, alone=alone))
            if key in right:
                to = PAD + right[key] * ROW
                a, b, half = x + 11, x + COLUMN - 11, COLUMN / 2
                path = f"M{a} {y}C{x + half:g} {y} {x + half:g} {to} {b} {to}"
                lines.append(RankCurve(path=path, stated=stated, rank_from=rank + 1, rank_to=right[key] + 1))
    width = 2 * PAD + max(0, len(cut) - 1) * COLUMN
    return Bump(width=width, height=2 * PAD + max(0, rows - 1) * ROW, dots=dots, lines=lines)
