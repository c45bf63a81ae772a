"""The kinds of index: how rows are searched. A new kind is an entry of `KINDS`.

FAISS is loaded when codes are made, so that a command's help can list the kinds at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.errors import UserError


@dataclass(frozen=True)
class IndexKind:
    """One way of searching rows.

    Args:
        name: as `startrail index --index` takes it.
        said: what it is, for people.
        coding: of a row's length, FAISS's untrained index of flat codes, by which candidates are found; None where the
            float16 rows themselves are scanned.
        in_lists: whether a search looks at some lists of rows only, those that point the query's way.
    """

    name: str
    said: str
    coding: Callable[[int], Any] | None = None
    in_lists: bool = False


def _rabitq(bits: int, dimension: int) -> Any:
    """Signs of a row's numbers, and bits more of their size (Gao et al. 2024, arXiv 2405.12497 and 2409.09913)."""
    from app.retrieval.faiss_package import faiss

    return faiss.IndexRaBitQ(dimension, faiss.METRIC_INNER_PRODUCT, bits)


KINDS = {
    kind.name: kind
    for kind in (
        IndexKind("exact", "the stored rows, bit for bit"),
        IndexKind(
            "rabitq2", "2 bits a number, the best ranked again by the stored rows", partial(_rabitq, 2)
        ),
        IndexKind("rabitq1", "1 bit a number, more of the best ranked again", partial(_rabitq, 1)),
        IndexKind(
            "lists",
            "a part of the rows, by lists of rows that point the same way; 2 bits a number, the best ranked again;"
            " answers say what share was looked at and what that finds; made by startrail reindex",
            partial(_rabitq, 2),
            in_lists=True,
        ),
    )
}
OFFERED = "; ".join(f"{kind.name} ({kind.said})" for kind in KINDS.values())
RETIRED = {"float32": "exact", "int8": "rabitq2", "int4": "rabitq2", "pq": "rabitq2"}
"""Kinds that older indexes may name, and what does their work now: smaller, faster, and right more often."""


def kind_of(name: str) -> IndexKind:
    """The kind of this name.

    Raises:
        UserError: there is none, or no longer.
    """
    if name in RETIRED:
        raise UserError(
            f"The index kind “{name}” is no longer made; “{RETIRED[name]}” does its work.",
            field="index",
            remedy=f"Give --index exact for one run, or once for all: startrail reindex NAME --index {RETIRED[name]}"
            " (nothing is encoded again).",
        )
    if name not in KINDS:
        raise UserError(f"There is no index kind “{name}”.", field="index", remedy=f"Use {', '.join(KINDS)}.")
    return KINDS[name]
