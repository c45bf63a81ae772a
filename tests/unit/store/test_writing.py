"""Numbers given to new rows, and rows written many at once."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.store.corpora import (
    PassageRecord,
    add_corpus,
)  # fmt: skip
from app.store.engine import Store
from app.store.tables import Passage
from app.store.writing import insert_rows, new_ids, write_alone

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


def test_what_a_driver_would_take_for_its_own_signs_comes_back(store: Store) -> None:
    """PostgreSQL's COPY has signs of its own for the end of a field, of a row, of the data, and for nothing."""
    texts = ["a\tb", "a\nb\r", "\\N", "\\.", "\\", "", "\0", "\ud800", '{"a": "\\t"}', "日本"]
    with store.session() as session:
        corpus = add_corpus(session, "signs", [PassageRecord("first", "first")])
        rows = [
            (corpus.id, at, f"p{at}", text, {"note": text, "none": None}) for at, text in enumerate(texts, 1)
        ]
        insert_rows(session, Passage, ("corpus_id", "position", "external_id", "text", "meta"), rows)
    with store.session() as session:
        found = session.scalars(select(Passage).where(Passage.position > 0).order_by(Passage.position)).all()
        assert [each.text for each in found] == texts
        assert [each.meta for each in found] == [{"note": text, "none": None} for text in texts]


def test_a_row_that_is_there_already_is_refused_as_everywhere(store: Store) -> None:
    """An error of the driver's own would pass by whoever waits for SQLAlchemy's."""
    with store.session() as session:
        corpus = add_corpus(session, "twice", [PassageRecord("first", "first")])
        with pytest.raises(IntegrityError):
            insert_rows(
                session,
                Passage,
                ("corpus_id", "position", "external_id", "text", "meta"),
                [(corpus.id, 0, "second", "", {})],
            )
        session.rollback()
