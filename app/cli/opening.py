"""The store as commands open it: it is closed when the command is over, however it ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from app.store import engine
from app.store.engine import Store

_AT_THE_END: ContextVar[ExitStack | None] = ContextVar(
    "what is closed when the command is over", default=None
)


@contextmanager
def closing_stores() -> Iterator[None]:
    """Closes what is opened within the block."""
    with ExitStack() as stack:
        token = _AT_THE_END.set(stack)
        try:
            yield
        finally:
            _AT_THE_END.reset(token)


def open_store(url: str, *, migrate: bool = False) -> Store:
    """`app.store.engine.open_store`, for as long as the command runs."""
    store = engine.open_store(url, migrate=migrate)
    if (stack := _AT_THE_END.get()) is not None:
        stack.callback(store.engine.dispose)
    return store
