"""Large imports that let others write meanwhile: in steps, each of them committed, and seen by nobody before the last.

PostgreSQL takes an import in one transaction, beside which others write. SQLite has one writer at a time, so there a
row of `arriving` says which rows belong to the import: those of its run, and those of its corpus and prompt set from a
position on (`app.store.privacy` hides them from every other session). The last step takes that row away, and all is
there at once. What a killed process left is swept in steps too, by whoever comes next: a worker at its next sign of
life, a server that starts, another import. One import arrives at a time; another one waits.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from app.errors import UserError
from app.store import workers
from app.store.access_tables import Denied
from app.store.base import now
from app.store.changed import changed
from app.store.engine import Store
from app.store.jobs import utc
from app.store.privacy import ARRIVES
from app.store.shared_rows import LaterRows, SharedRows
from app.store.tables import Corpus, Model, Passage, Prompt, PromptSet, Result, Run
from app.store.trouble import is_trouble
from app.store.work_tables import Arriving
from app.store.writing import write_alone

SILENT = timedelta(
    minutes=10
)  # of another host's import without a step for so long, nothing more is expected
WAITS = 600.0  # seconds for another import, or for a database that somebody else holds
LOOKS = 0.2  # seconds between two looks whether it is over
SWEPT = 2_000  # rows in one step


class SweptMeanwhile(UserError):
    """Somebody took this import for dead, or took something down meanwhile that it may bring back."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Nothing was imported: {why}.", remedy="Import the file again.", status=409)


class Arrival:
    """An import at work, in the transaction of whoever brought the file: whole or not at all."""

    def __init__(self, session: Session) -> None:
        self.session, self.shared = session, SharedRows(session)
        self._denied = self._count_denied()

    def begin(self, run: Run, made: list[DeclarativeBase], passages: int, prompts: int) -> None:
        """Say what it brings: `made` are the parents that were not there, and the next positions are its own."""

    def step(self) -> None:
        """Between two lots of rows: others may write now."""
        self.check()

    def alone(self) -> None:
        """Become the one who writes, until the step ends."""
        write_alone(self.session)

    def finish(self) -> None:
        """The last step, but for its commit: everything is seen from then on."""
        self.check()

    def check(self) -> None:
        """Bring nothing where something is taken down meanwhile: whoever does it waits for us.

        Raises:
            SweptMeanwhile: something is.
        """
        if self._count_denied() != self._denied:
            raise SweptMeanwhile("something was taken down while it was read")

    def _count_denied(self) -> int:
        return self.session.scalar(select(func.count()).select_from(Denied)) or 0


class _InSteps(Arrival):
    def __init__(self, session: Session, id_: int, owner: str) -> None:
        super().__init__(session)
        self.shared: LaterRows = LaterRows(session)
        self._mine = (Arriving.id == id_, Arriving.owner == owner)

    def begin(self, run: Run, made: list[DeclarativeBase], passages: int, prompts: int) -> None:
        told = {"run_id": run.id, "corpus_id": run.corpus_id, "prompt_set_id": run.prompt_set_id}
        names = [each.__tablename__ for each in made]
        floors = {"passages_from": passages, "prompts_from": prompts, "model_id": run.model_id, "made": names}
        self._still_mine(**told, **floors)

    def step(self) -> None:
        self.session.commit()

    def alone(self) -> None:
        patiently(self.session)
        self._still_mine()

    def finish(self) -> None:
        self.check()
        self.shared.write()
        if changed(self.session.execute(delete(Arriving).where(*self._mine))) != 1:
            raise _taken_for_dead()

    def _still_mine(self, **values: object) -> None:
        said = update(Arriving).where(*self._mine).values(seen_at=now(), **values)
        if changed(self.session.execute(said)) != 1:
            self.check()
            raise _taken_for_dead()


@contextmanager
def arrival(store: Store, *, indexing: Callable[[int, int], None] | None = None) -> Iterator[Arrival]:
    """What a block imports is there when it ends well; when it does not, nothing is.

    Args:
        indexing: told how many texts of how many are indexed for search.

    Raises:
        UserError: another import does not come to its end.
    """
    if store.engine.dialect.name != "sqlite":
        with store.session(indexing=indexing) as session:
            whole = Arrival(session)
            yield whole
            whole.finish()
        return
    owner = workers.new_name()
    id_ = _enter(store, owner)
    try:
        with store.session(indexing=indexing) as session:
            session.info[ARRIVES] = True
            steps = _InSteps(session, id_, owner)
            with closing(steps.shared):
                yield steps
                steps.finish()
    except BaseException:
        _give_up(store, owner)
        raise


def sweep(store: Store, *, steps: int | None = None) -> bool:
    """Take away what killed imports left; at most so many steps of it. Whether all is gone.

    Nobody waits for more than one step, so a worker's sign of life may do it.
    """
    if store.engine.dialect.name != "sqlite":
        return True
    done = 0
    while steps is None or done < steps:
        with store.session() as session:
            session.info[ARRIVES] = True
            if _lost(session) is None:
                return True
            write_alone(session)
            if (lost := _lost(session)) is not None:  # nobody else took it away meanwhile
                _sweep_some(session, lost)
        done += 1
    return False


def drop_arriving(session: Session) -> None:
    """Take away all of an import that is under way, in the one transaction of whoever writes alone: it finds that out."""
    session.info[ARRIVES] = True
    while (first := session.scalar(select(Arriving).order_by(Arriving.id).limit(1))) is not None:
        _sweep_some(session, first)
        session.flush()


def patiently(session: Session) -> None:
    """`write_alone`, and wait for whoever holds the database."""
    ends = time.monotonic() + WAITS
    while True:
        try:
            return write_alone(session)
        except DBAPIError as error:
            session.rollback()
            if is_trouble(error) != "busy" or time.monotonic() > ends:
                raise
            time.sleep(LOOKS)


def _enter(store: Store, owner: str) -> int:
    """Become the import that arrives; what earlier ones left is gone then."""
    ends = time.monotonic() + WAITS
    while time.monotonic() < ends:
        sweep(store)
        with store.session() as session:
            patiently(session)
            if session.scalar(select(Arriving.id)) is None:
                entered = insert(Arriving).values(owner=owner).returning(Arriving.id)
                return session.execute(entered).scalar_one()
        time.sleep(LOOKS)
    raise UserError(
        f"Another import has been at work for {WAITS / 60:.0f} minutes.", remedy="Wait for it.", status=503
    )


def _give_up(store: Store, owner: str) -> None:
    """Leave nothing; where the database does not let us, whoever comes next does it."""
    try:
        with store.session() as session:
            session.execute(update(Arriving).where(Arriving.owner == owner).values(owner=_NOBODY))
        sweep(store)
    except DBAPIError as error:
        if not is_trouble(error):
            raise


_NOBODY = ""


def _lost(session: Session) -> Arriving | None:
    return next(filter(_is_lost, session.scalars(select(Arriving).order_by(Arriving.id))), None)


def _is_lost(each: Arriving) -> bool:
    return not each.owner or workers.is_gone(each.owner) or utc(each.seen_at) < now() - SILENT


def _taken_for_dead() -> SweptMeanwhile:
    return SweptMeanwhile("it made no progress, and was given up")


def _sweep_some(session: Session, lost: Arriving) -> None:
    """Some of its rows; where none is left, what it made beside them and the word of it."""
    lost.owner = _NOBODY
    own: dict[type[Result | Run | Passage | Prompt], Any] = {
        Result: (Result.run_id == lost.run_id,),
        Run: (Run.id == lost.run_id,),
        Passage: (Passage.corpus_id == lost.corpus_id, Passage.position >= lost.passages_from),
        Prompt: (Prompt.prompt_set_id == lost.prompt_set_id, Prompt.position >= lost.prompts_from),
    }
    for table, which in own.items():
        some = select(table.id).where(*which).limit(SWEPT)
        if changed(session.execute(delete(table).where(table.id.in_(some.scalar_subquery())))):
            return
    parents: dict[type[Corpus | PromptSet | Model], int | None] = {
        Corpus: lost.corpus_id,
        PromptSet: lost.prompt_set_id,
        Model: lost.model_id,
    }
    for parent, id_ in parents.items():
        if parent.__tablename__ in lost.made:
            session.execute(delete(parent).where(parent.id == id_))
    session.delete(lost)
