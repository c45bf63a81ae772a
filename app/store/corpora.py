"""Questions about corpora, and adding one: a stream of passages in, one transaction, nothing held in memory."""

import random
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Result, select
from sqlalchemy.orm import Session

from app.digests import CorpusDigest
from app.errors import NotFound, UserError
from app.store.chunks import chunks
from app.store.denied import Denylist
from app.store.full_text import NEW_TEXTS
from app.store.naming import suggest
from app.store.origins import NOTHING_SAID, Origin, describe
from app.store.readers import ADDING
from app.store.tables import Corpus, Passage
from app.store.writing import insert_rows
from app.words.roles import FORMS, Lesson, contents, form_of, lesson, text_of

CHUNK = 2_000  # rows per INSERT: enough to be fast, small enough to show progress
COLUMNS = ("corpus_id", "position", "external_id", "text", "meta", "roles")
PassageRow = tuple[int, str, str, dict[str, Any], list[Any] | None]
"""`COLUMNS` but the first."""


@dataclass(frozen=True)
class PassageRecord:
    """A passage as it comes in. `external_id` is unique in its corpus."""

    external_id: str
    lesson: Lesson
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What people read of it."""
        return text_of(self.lesson)

    @property
    def teaches(self) -> str:
        """What kind of training example it is, in words."""
        return FORMS[form_of(self.lesson)]

    @property
    def parts(self) -> str | list[str]:
        """Its text; where it has roles, who says what, and whether it is learned (+), not to be said (-) or only read."""
        if isinstance(self.lesson, str):
            return self.lesson
        said = self.lesson.said
        return [f"{'- +'[each.loss + 1].strip()}{each.role}: {said(each)}" for each in self.lesson.segments]


def get_corpus(session: Session, name: str) -> Corpus:
    """The corpus of this name.

    Raises:
        NotFound: there is none; close names are suggested. UserError: it is not whole yet.
    """
    corpus = find_corpus(session, name)
    if corpus is None:
        names = [each.name for each in list_corpora(session)]
        raise NotFound(f"There is no corpus “{name}”.", remedy=suggest(name, names, "startrail corpus list"))
    return corpus


def find_corpus(session: Session, name: str) -> Corpus | None:
    """The corpus of this name; None where there is none.

    Raises:
        UserError: it is not whole yet.
    """
    corpus = session.scalar(select(Corpus).where(Corpus.name == name))
    if corpus is not None and corpus.visibility == ADDING:
        raise UserError(
            f"The corpus “{name}” is not whole: {corpus.passage_count:,} of its passages are here.",
            field="corpus",
            remedy="Add it again by the same command: it goes on from there.",
            status=409,
        )
    return corpus


def list_corpora(session: Session) -> list[Corpus]:
    """All whole corpora by name."""
    return list(session.scalars(select(Corpus).where(Corpus.visibility != ADDING).order_by(Corpus.name)))


def list_unfinished(session: Session) -> list[Corpus]:
    """Corpora that are being added, or whose adding was stopped, by name."""
    return list(session.scalars(select(Corpus).where(Corpus.visibility == ADDING).order_by(Corpus.name)))


def external_ids(session: Session, corpus: Corpus) -> frozenset[str]:
    """The ids of all passages of a corpus, as its file gave them."""
    return frozenset(session.scalars(select(Passage.external_id).where(Passage.corpus_id == corpus.id)))


def add_corpus(
    session: Session,
    name: str,
    records: Iterable[PassageRecord],
    *,
    origin: Origin = NOTHING_SAID,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Add a corpus in the caller's transaction; row r of every index of it is the passage at position r.

    Raises:
        UserError: the name is taken, there is no passage, or this corpus was taken down.
    """
    if find_corpus(session, name) is not None:
        raise taken(name)
    corpus = Corpus(name=name)
    session.add(corpus)
    describe(session, corpus, origin)
    digest, denied = CorpusDigest(), Denylist(session, "passage")
    count = 0
    for chunk in chunks(passage_rows(records, denied, digest), CHUNK):
        insert_rows(session, Passage, COLUMNS, [(corpus.id, *row) for row in chunk])
        count += len(chunk)
        if progress:
            progress(count, 0)
    corpus.passage_count = count
    seal(session, corpus, digest)
    return corpus


def passage_rows(
    records: Iterable[PassageRecord], denied: Denylist, digest: CorpusDigest
) -> Iterator[PassageRow]:
    """Each passage as its row, in order, and into the digest; in place of what was taken down stands that it was."""
    for position, record in enumerate(records):
        text = record.text
        said = denied.let_in(text)
        taught, meta = (record.lesson, record.meta) if said is text else (said, {})
        digest.add(record.external_id, *contents(taught))
        yield (
            position,
            record.external_id,
            said,
            meta,
            None if isinstance(taught, str) else taught.as_list(),
        )


def seal(session: Session, corpus: Corpus, digest: CorpusDigest) -> None:
    """Let a corpus be whole: its hash tells its contents, its words are searched.

    Raises:
        UserError: it has no passage, or was taken down.
    """
    if not corpus.passage_count:
        raise UserError("There is no passage to add.", field="text", remedy="Give a file with at least one.")
    corpus.sha256 = digest.hexdigest()
    Denylist(session, "corpus").refuse(corpus.sha256, corpus.name)
    session.info[NEW_TEXTS] = True
    session.flush()


def taken(name: str) -> UserError:
    """The error for a name that another corpus has."""
    return UserError(f"A corpus “{name}” exists already.", field="name", remedy="Choose another --name.")


def stream_passages(session: Session, corpus_id: int) -> Iterator[tuple[int, str, str]]:
    """`(id, external_id, text)` of every passage, by position, read in chunks."""
    for row in _in_order(session, corpus_id):
        yield row.id, row.external_id, row.text


def stream_lessons(session: Session, corpus_id: int) -> Iterator[tuple[str, Lesson]]:
    """`(external_id, what it teaches)` of every passage, by position, read in chunks."""
    for row in _in_order(session, corpus_id, Passage.roles):
        yield row.external_id, lesson(row.text, row.roles)


def stream_records(session: Session, corpus_id: int) -> Iterator[PassageRecord]:
    """Every passage as it came in, by position, read in chunks."""
    for row in _in_order(session, corpus_id, Passage.roles, Passage.meta):
        yield PassageRecord(row.external_id, lesson(row.text, row.roles), row.meta)


def _in_order(session: Session, corpus_id: int, *more: Any) -> Result[Any]:
    """Id, own id, text and `more` columns of every passage, by position, read in chunks."""
    query = select(Passage.id, Passage.external_id, Passage.text, *more).where(Passage.corpus_id == corpus_id)
    return session.execute(query.order_by(Passage.position).execution_options(yield_per=CHUNK))


def lessons_of(session: Session, ids: Collection[int]) -> dict[int, Lesson]:
    """What the passages with these ids teach; of those that are gone, nothing."""
    rows = session.execute(select(Passage.id, Passage.text, Passage.roles).where(Passage.id.in_(ids)))
    return {row.id: lesson(row.text, row.roles) for row in rows}


def sample_lessons(session: Session, corpus: Corpus, count: int, *, seed: int = 0) -> list[Lesson]:
    """Passages of the corpus drawn at random, the same for the same seed; fewer where it has fewer."""
    size = corpus.passage_count
    places = random.Random(seed).sample(range(size), min(count, size))
    rows = session.execute(
        select(Passage.position, Passage.text, Passage.roles).where(
            Passage.corpus_id == corpus.id, Passage.position.in_(places)
        )
    )
    found = {row.position: lesson(row.text, row.roles) for row in rows}
    return [found[place] for place in places if place in found]
