"""The corpus that an index is built of: one of the store, or files, which become one."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.digests import CorpusDigest
from app.errors import UserError
from app.interchange.adding import add_corpus_files
from app.interchange.fields import Fields
from app.interchange.plain import read_passages
from app.interchange.records import Reading
from app.interchange.records.sources import names_files
from app.interchange.sift import Sift
from app.showing import Bar, unseen
from app.store.corpora import get_corpus, list_corpora, stream_lessons
from app.store.engine import Store
from app.store.tables import Corpus
from app.words.roles import Lesson, contents


@dataclass(frozen=True)
class StoredCorpus:
    """The passages of a corpus in the store, as often as they are asked for."""

    store: Store
    name: str
    id: int

    def __len__(self) -> int:
        with self.store.session() as session:
            return session.get_one(Corpus, self.id).passage_count

    def __iter__(self) -> Iterator[tuple[str, Lesson]]:
        with self.store.session() as session:
            yield from stream_lessons(session, self.id)


def stored_corpus(store: Store, name: str) -> StoredCorpus:
    """The corpus of this name.

    Raises:
        NotFound: there is none; names near it are suggested.
    """
    with store.session() as session:
        return StoredCorpus(store, name, get_corpus(session, name).id)


def corpus_or_files(
    store: Store,
    corpus: str,
    name: str,
    fields: Fields | None = None,
    reading: Reading | None = None,
    sift: Sift | None = None,
    bar: Bar = unseen,
) -> StoredCorpus:
    """The corpus of this name; files are added to the store first, so that pages can show their passages.

    Args:
        corpus: a corpus of the store, or files of passages as `app.interchange.records` finds them.
        name: what the corpus of the files is called. If the store has it already, the files must hold the same.
        sift: what is taken of the files; all by default.
        bar: shows how many bytes of how many are read.

    Raises:
        UserError: there is none, a record cannot be read, or another corpus has the name.
    """
    sift, fields, reading = sift or Sift(), fields or Fields(), reading or Reading()
    with store.session() as session:
        known = {row.name: row for row in list_corpora(session)}
    if corpus in known or not names_files(corpus):
        return stored_corpus(store, corpus)
    if name in known:
        digest = CorpusDigest()
        for passage in sift(read_passages(corpus, fields=fields, reading=reading)):
            digest.add(passage.external_id, *contents(passage.lesson))
        if digest.hexdigest() != known[name].sha256:
            raise UserError(
                f"The store has another corpus called {name!r}.",
                field="corpus",
                remedy="Choose a --corpus-name.",
            )
        return StoredCorpus(store, name, known[name].id)
    with bar(f"Adding corpus {name}, bytes") as step:
        added = add_corpus_files(
            store, [corpus], name, fields=fields, reading=reading, sift=sift, progress=step
        )
        return StoredCorpus(store, name, added.id)
