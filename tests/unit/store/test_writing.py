"""Numbers given to new rows."""

from sqlalchemy import select

from app.store.corpora import (
    PassageRecord,
    add_corpus,
)  # fmt: skip
from app.store.engine import Store
from app.store.tables import Passage
from app.store.writing import new_ids, write_alone

PASSAGES = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(5)]


def test_new_ids_are_never_ones_given_out_before(store: Store) -> None:
    """Passage and prompt numbers stand in permalinks: a removed one may not come to mean something else."""
    with store.session() as session:
        corpus = add_corpus(session, "world", PASSAGES)
        used = set(session.scalars(select(Passage.id)))
        session.delete(corpus)
    with store.session() as session:
        write_alone(session)
        ids = list(new_ids(session, Passage, 3))
        assert len(ids) == 3
        assert ids == sorted(ids)
        assert not used & set(ids)
