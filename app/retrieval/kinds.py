"""How an index's rows can be searched: the kinds, said once. Knows no FAISS, so that a command's help can list them."""

from dataclasses import dataclass

PQ_NUMBERS = 8  # numbers of a row that `pq` takes together


@dataclass(frozen=True)
class IndexKind:
    """One way to keep rows for searching.

    Args:
        faiss: FAISS's factory string; `{parts}` are the bytes of a row, one for `PQ_NUMBERS` numbers.
        approximate: it keeps less than the rows, so more candidates are taken and ranked again from the rows.
    """

    faiss: str
    approximate: bool = True

    def factory(self, dimension: int) -> str:
        """FAISS's name for it, for rows of so many numbers."""
        return self.faiss.format(parts=dimension // PQ_NUMBERS)


KINDS = {
    "exact": IndexKind("SQfp16", approximate=False),  # the stored rows, bit for bit
    "float32": IndexKind("Flat", approximate=False),
    "int8": IndexKind("SQ8"),
    "int4": IndexKind("SQ4"),
    "pq": IndexKind(
        "PQ{parts}x8np"
    ),  # np: trained in seconds, without the polysemous codes that nothing here uses
}
APPROXIMATE = tuple(name for name, kind in KINDS.items() if kind.approximate)
OFFERED = f"{', '.join(name for name in KINDS if name not in APPROXIMATE)}; {', '.join(APPROXIMATE)} are smaller and re-ranked"
