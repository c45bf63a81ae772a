"""How much a file may ask for before it is refused: what is small on disk must not fill the memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """The limits of one reading, each named in the error that it gives.

    Args:
        line: bytes of one line, or of one record of an array.
        depth: lists and objects inside one another.
        fields: of one record, columns of a table.
        values: of one record, inside one another or beside: a line of `[[],[],…` takes thirty times its size in memory.
        ratio: bytes that come out of a compressed file for one that goes in, asked after the first `free` ones.
        total: bytes that may come out of one file; None: any number.
    """

    line: int = 32 << 20
    depth: int = 100
    fields: int = 2_000
    values: int = 1_000_000
    ratio: int = 500
    free: int = 16 << 20
    total: int | None = None


USUAL = Bounds()
