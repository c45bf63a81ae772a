"""What was worked out about a run, kept in this process until the run changes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.store.tables import Output, Run

KEPT = 256  # things, the oldest go first

Worked = TypeVar("Worked")
_memory: WeakKeyDictionary[Engine, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()


def remembered(session: Session, what: str, runs: Sequence[Run], make: Callable[[], Worked]) -> Worked:
    """What is known under the name `what` about these runs together; `make` works it out when it is not known yet.

    What is kept must be plain data, nothing that belongs to the session.
    """
    return cast(Worked, _each(session, what, [tuple(runs)], lambda missing: [make()])[0])


def remembered_each(
    session: Session, what: str, runs: Sequence[Run], make: Callable[[Sequence[Run]], Sequence[Worked]]
) -> dict[int, Worked]:
    """The same of each run by its id; `make` works it out for those of which it is not known yet, in their order."""
    found = _each(session, what, [(run,) for run in runs], lambda missing: make([run for (run,) in missing]))
    return {run.id: cast(Worked, each) for run, each in zip(runs, found, strict=True)}


def _each(
    session: Session,
    what: str,
    groups: Sequence[tuple[Run, ...]],
    make: Callable[[Sequence[tuple[Run, ...]]], Sequence[Any]],
) -> list[Any]:
    bind = session.get_bind()
    memory = _memory.setdefault(bind if isinstance(bind, Engine) else bind.engine, {})
    outputs = session.scalar(select(func.max(Output.id)))
    keys = [(what, outputs, *(_state(run) for run in group)) for group in groups]
    missing = [at for at, key in enumerate(keys) if key not in memory]
    for at, made in zip(missing, make([groups[at] for at in missing]) if missing else [], strict=True):
        memory[keys[at]] = made
    found = [memory[key] for key in keys]
    for key in list(memory)[:-KEPT]:
        memory.pop(key, None)
    return found


def _state(run: Run) -> tuple[Any, ...]:
    """What changes whenever something about a run does: its record, to which evaluation writes its metrics."""
    return (run.id, run.status, run.prompt_count, str(run.finished_at), repr(run.metrics))
