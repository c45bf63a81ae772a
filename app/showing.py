"""How long work tells how far it is: the command line gives a bar for each part of it, a notebook nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Called with what is done and the total (0: not known); a label changes what is said of it."""

    def __call__(self, done: int, total: int, label: str | None = None) -> None:
        """Take note."""


Bar = Callable[[str], AbstractContextManager[Progress]]


def counting(tell: Callable[[int, int], object], total: int, gone: int = 0) -> Callable[[int], None]:
    """For work that says how many more are done: `tell` hears how many are done in all, of `total`."""

    def more(count: int) -> None:
        nonlocal gone
        gone += count
        tell(gone, total)

    return more


@contextmanager
def unseen(what: str) -> Iterator[Progress]:
    """No progress shown."""
    yield lambda done, total, label=None: None
