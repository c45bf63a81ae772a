"""What was worked out about a run, kept in this process until the run changes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.store.tables import Run

WAITS = 10.0  # seconds for somebody else who works the same out; then it is worked out twice
KEPT = 1_000  # things, those that nobody asked for longest go first
MOST_BYTES = 96 << 20  # of large ones

CHANGED_RUNS = "changed runs"  # set in `Session.info` by whoever writes results, answers or figures

Worked = TypeVar("Worked")
_UNKNOWN = object()
_memory: WeakKeyDictionary[Engine, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()
# Of what is being worked out: sixteen first readers would else read the same columns sixteen times. What a thing is made of is
# asked for while it is worked out, and never the other way round, so nobody waits in a circle.
_making: WeakKeyDictionary[Engine, dict[tuple[Any, ...], Lock]] = WeakKeyDictionary()


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
    engine = bind if isinstance(bind, Engine) else bind.engine
    memory = _memory.setdefault(engine, {})
    keys = [(what, *(state_of(run) for run in group)) for group in groups]
    found = [memory.get(key, _UNKNOWN) for key in keys]  # other threads forget things meanwhile
    missing = [at for at, each in enumerate(found) if each is _UNKNOWN]
    if missing:
        with _alone(engine, sorted(keys[at] for at in missing)):
            for at in missing:
                found[at] = memory.get(keys[at], _UNKNOWN)
            missing = [at for at in missing if found[at] is _UNKNOWN]
            for at, made in zip(
                missing, make([groups[at] for at in missing]) if missing else [], strict=True
            ):
                found[at] = memory[keys[at]] = made
    for key, each in zip(keys, found, strict=True):
        memory.pop(key, None)
        memory[key] = each  # what was asked for last goes last
    _forget(memory)
    return found


@contextmanager
def _alone(engine: Engine, keys: Sequence[tuple[Any, ...]]) -> Iterator[None]:
    """Be the only one who works these out."""
    making = _making.setdefault(engine, {})
    with ExitStack() as held:
        for key in keys:
            lock = making.setdefault(key, Lock())
            if lock.acquire(timeout=WAITS):
                held.callback(lock.release)
                held.callback(making.pop, key, None)
        yield


def _forget(memory: dict[tuple[Any, ...], Any]) -> None:
    """Until there are few enough things, and they take little enough room."""
    sizes = {key: getattr(each, "nbytes", 0) for key, each in list(memory.items())}
    room = sum(sizes.values())
    for number, (key, size) in enumerate(sizes.items(), start=1):
        if (len(sizes) - number < KEPT and room <= MOST_BYTES) or number == len(sizes):
            return
        memory.pop(key, None)
        room -= size


def state_of(run: Run) -> tuple[Any, ...]:
    """What changes whenever something about a run does: its record, to which evaluation writes its metrics, and how often its
    model's answers were written."""
    known = (run.id, run.status, run.prompt_count, str(run.finished_at), repr(run.metrics))
    return (*known, run.model_id, run.model.answered)
