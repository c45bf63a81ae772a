"""Corpora keep their order, and a hash tells their contents."""

import pytest
from sqlalchemy import select

from app.digests import CorpusDigest
from app.errors import UserError
from app.store.corpora import (
    PassageRecord,
    add_corpus,
    external_ids,
    list_corpora,
    stream_passages,
)  # fmt: skip
from app.store.engine import Store
from app.store.origins import Origin
from app.store.prompts import (
    add_prompts,
    list_prompt_sets,
)  # fmt: skip
from app.store.tables import Passage

PASSAGES = [PassageRecord(f"p{n}", f"Passage number {n}", {"n": n}) for n in range(5)]


def test_a_corpus_keeps_its_order_and_its_hash_tells_its_contents(store: Store) -> None:
    """Row r of an index is the passage at position r, so neither may depend on anything but the file."""
    with store.session() as session:
        corpus = add_corpus(session, "world", iter(PASSAGES), origin=Origin("Five."))
        again = add_corpus(session, "copy", PASSAGES)
        turned = add_corpus(session, "turned", PASSAGES[::-1])
        assert corpus.passage_count == 5
        assert corpus.sha256 == again.sha256 != turned.sha256
        assert [name for _, name, _ in stream_passages(session, turned.id)] == ["p4", "p3", "p2", "p1", "p0"]
        assert external_ids(session, corpus) == {"p0", "p1", "p2", "p3", "p4"}
        assert [each.name for each in list_corpora(session)] == ["copy", "turned", "world"]
        assert session.scalars(select(Passage.meta).where(Passage.corpus_id == corpus.id)).first() == {"n": 0}


def test_the_hash_knows_where_an_id_ends(store: Store) -> None:
    one, other = CorpusDigest(), CorpusDigest()
    one.add("ab", "c")
    other.add("a", "bc")
    assert one.hexdigest() != other.hexdigest()


def test_what_cannot_be_added_is_refused(store: Store) -> None:
    with store.session() as session:
        add_corpus(session, "world", PASSAGES)
        with pytest.raises(UserError, match="exists already"):
            add_corpus(session, "world", PASSAGES)
    with pytest.raises(UserError, match="no passage"), store.session() as session:
        add_corpus(session, "nothing", [])
    with pytest.raises(UserError, match="no prompt"), store.session() as session:
        add_prompts(session, "nothing", [])
    with store.session() as session:
        assert [each.name for each in list_corpora(session)] == ["world"]
        assert list_prompt_sets(session) == []
