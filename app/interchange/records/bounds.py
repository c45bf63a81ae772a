"""How much a file may ask for before it is refused: what is small on disk must not fill the memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """The limits of one reading, each named in the error that it gives.

    Args:
        line: bytes of one line, or of one record of an array.
        depth: lists and objects inside one another.
        ratio: bytes that come out of a compressed file for one that goes in, asked after the first `free` ones.
        total: bytes that may come out of one file; None: any number.
    """

    line: int = 32 << 20
    depth: int = 100
    ratio: int = 500
    free: int = 64 << 20
    total: int | None = None


USUAL = Bounds()
