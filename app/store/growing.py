"""A corpus as large as the disk takes it: added in steps, each of them committed, and shown to nobody before it is whole.

Adding that was killed goes on where it stopped: the passages that are there are read again, told by their hash, and not
stored again. No writer waits for more than a step.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.digests import CorpusDigest
from app.errors import UserError
from app.store.chunks import chunks
from app.store.corpora import CHUNK, COLUMNS, PassageRecord, PassageRow, passage_rows, seal, taken
from app.store.denied import Denylist
from app.store.engine import Store
from app.store.origins import NOTHING_SAID, Origin, describe
from app.store.readers import ADDING, PUBLIC
from app.store.tables import Corpus, Passage
from app.store.writing import insert_rows

STEP_ROWS, STEP_CHARACTERS = 20_000, 16 << 20  # committed together; what first is reached


class AddedMeanwhile(UserError):
    """Somebody else adds the same corpus at this moment."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Another process adds the corpus “{name}” at this moment.",
            field="name",
            remedy="Wait for it, or choose another --name.",
        )


@dataclass(frozen=True)
class Unfinished:
    """What is here of a corpus whose adding was stopped.

    Args:
        sha256: of its passages so far.
        reading: what it is read from.
    """

    id: int
    passages: int
    sha256: str
    reading: Mapping[str, Any]


@dataclass(frozen=True)
class Grown:
    """A corpus that is whole; `resumed` of its passages were here already when this adding began."""

    id: int
    passages: int
    resumed: int


def unfinished(store: Store, name: str) -> Unfinished | None:
    """What is here of the corpus of this name; None where nothing is.

    Raises:
        UserError: it is whole.
    """
    with store.session() as session:
        found = session.scalar(select(Corpus).where(Corpus.name == name))
        if found is None:
            return None
        if found.visibility != ADDING:
            raise taken(name)
        return Unfinished(found.id, found.passage_count, found.sha256 or "", found.reading)


def grow_corpus(
    store: Store,
    name: str,
    records: Iterable[PassageRecord],
    *,
    origin: Origin = NOTHING_SAID,
    reading: Callable[[], Mapping[str, Any]] = dict,
    indexing: Callable[[int, int], None] | None = None,
) -> Grown:
    """Add a corpus, or what is missing of one whose adding was stopped. A record that cannot be used leaves nothing of it.

    Args:
        records: all passages, from the first, also where some are here already.
        reading: what they are read from; asked at the beginning and once more when all are read.
        indexing: told how many texts of how many are indexed for search.

    Raises:
        UserError: the name is taken, there is no passage, this corpus was taken down, or what is here of it is something
            else: that is then thrown away.
    """
    here = unfinished(store, name)
    growing = _Growing(store, name, origin, reading(), here)
    try:
        growing.take(records)
        return growing.finish(reading(), indexing)
    except AddedMeanwhile:
        raise
    except UserError:
        growing.discard()
        raise


def discard_unfinished(store: Store, name: str) -> int:
    """Throw away what is here of a corpus whose adding was stopped; returns how many passages that was.

    Raises:
        UserError: there is none of this name, or it is whole.
    """
    try:
        here = unfinished(store, name)
    except UserError:
        raise UserError(
            f"The corpus “{name}” is whole.",
            field="name",
            remedy=f"To take it down for good: `startrail remove corpus {name}`.",
        ) from None
    if here is None:
        raise UserError(
            f"Nothing is here of a corpus “{name}”.", field="name", remedy="See `startrail corpus list`."
        )
    _discard(store, here.id)
    return here.passages


class _Growing:
    """The corpus, step after step."""

    def __init__(
        self, store: Store, name: str, origin: Origin, reading: Mapping[str, Any], here: Unfinished | None
    ) -> None:
        self._store, self._name, self._origin, self._reading, self._here = store, name, origin, reading, here
        self._id = here.id if here else None
        self._count = self._resumed = here.passages if here else 0
        self._digest = CorpusDigest()
        with store.session() as session:
            self._denied = Denylist(session, "passage")

    def take(self, records: Iterable[PassageRecord]) -> None:
        """Store what is not here yet."""
        rows = passage_rows(records, self._denied, self._digest)
        if self._here:
            self._pass_over(rows, self._here)
        for step in _steps(rows):
            with self._store.session() as session:
                id_ = self._begin(session) if self._id is None else self._id
                self._claim(session, id_, len(step))
                for chunk in chunks(step, CHUNK):
                    insert_rows(session, Passage, COLUMNS, [(id_, *row) for row in chunk])
            self._id, self._count = id_, self._count + len(step)

    def finish(self, reading: Mapping[str, Any], indexing: Callable[[int, int], None] | None) -> Grown:
        """Everybody may see it from now on."""
        with self._store.session(indexing=indexing) as session:
            id_ = self._begin(session) if self._id is None else self._id
            self._claim(session, id_, 0)
            corpus = session.get_one(Corpus, id_)
            seal(session, corpus, self._digest)
            describe(session, corpus, self._origin)
            corpus.reading, corpus.visibility = dict(reading), PUBLIC
        return Grown(id_, self._count, self._resumed)

    def discard(self) -> None:
        """Leave nothing of it."""
        if self._id is not None:
            _discard(self._store, self._id)

    def _pass_over(self, rows: Iterator[PassageRow], here: Unfinished) -> None:
        for _ in zip(range(here.passages), rows, strict=False):
            pass
        if self._digest.hexdigest() != here.sha256:
            raise UserError(
                f"The {here.passages:,} passages that were here of “{self._name}” are other ones than the files begin"
                " with; they are thrown away.",
                field="name",
                remedy="Run the command once more to begin anew.",
            )

    def _begin(self, session: Session) -> int:
        if session.scalar(select(Corpus.id).where(Corpus.name == self._name)) is not None:
            raise AddedMeanwhile(self._name)
        corpus = Corpus(name=self._name, visibility=ADDING, reading=dict(self._reading))
        session.add(corpus)
        describe(session, corpus, self._origin)
        return corpus.id

    def _claim(self, session: Session, id_: int, more: int) -> None:
        """Become the one who adds the next passages: it holds only as long as nobody else did."""
        mine = update(Corpus).where(
            Corpus.id == id_, Corpus.visibility == ADDING, Corpus.passage_count == self._count
        )
        said = mine.values(passage_count=self._count + more, sha256=self._digest.hexdigest())
        if session.execute(said).rowcount != 1:  # type: ignore[attr-defined]  # an update has a count of rows
            raise AddedMeanwhile(self._name)


def _steps(rows: Iterable[PassageRow]) -> Iterator[list[PassageRow]]:
    """Rows in lists that are stored together, however long their texts are."""
    step: list[PassageRow] = []
    size = 0
    for row in rows:
        step.append(row)
        size += len(row[2])
        if len(step) == STEP_ROWS or size >= STEP_CHARACTERS:
            yield step
            step, size = [], 0
    if step:
        yield step


def _discard(store: Store, id_: int) -> None:
    """In steps too; who is killed meanwhile leaves what no files begin with."""
    with store.session() as session:
        session.execute(update(Corpus).where(Corpus.id == id_).values(sha256=None))
    while True:
        with store.session() as session:
            some = select(Passage.id).where(Passage.corpus_id == id_).limit(STEP_ROWS)
            gone = session.execute(delete(Passage).where(Passage.id.in_(some.scalar_subquery())))
            if not gone.rowcount:  # type: ignore[attr-defined]  # a deletion has a count of rows
                session.execute(delete(Corpus).where(Corpus.id == id_))
                return
