"""Every Python string can be stored and comes back the same, alone and inside JSON."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from app.store.any_text import ESCAPE, from_stored, to_stored
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import Store
from app.store.tables import Passage

any_text = st.text(st.characters(exclude_categories=()))


@given(any_text)
@example("\0")
@example("\ud800\udfff")
@example(f"{ESCAPE}0000")
@example(f"{ESCAPE}{ESCAPE}")
def test_stored_text_has_nothing_a_database_refuses_and_reads_back(text: str) -> None:
    stored = to_stored(text)
    assert "\0" not in stored
    stored.encode()
    assert from_stored(stored) == text


@pytest.mark.parametrize("text", ["", "plain", "Zürich", "日本語", "🇬🇭"])
def test_usual_text_is_stored_as_it_is(text: str) -> None:
    """Else other tools that read the database would see our escapes everywhere."""
    assert to_stored(text) is text


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(any_text, min_size=1, max_size=5, unique=True))
def test_databases_give_back_any_text_and_any_json(store: Store, texts: list[str]) -> None:
    with store._sessions() as session:
        add_corpus(
            session, "any", [PassageRecord(text, text, {text: [text, {"\0": None}]}) for text in texts]
        )
        session.expunge_all()
        rows = session.scalars(select(Passage).order_by(Passage.position)).all()
        assert [row.external_id for row in rows] == texts
        assert [row.text for row in rows] == texts
        assert [row.meta for row in rows] == [{text: [text, {"\0": None}]} for text in texts]
        found = session.scalars(select(Passage.text).where(Passage.external_id == texts[0])).all()
        assert found == [texts[0]]
        session.rollback()


def test_a_number_that_is_no_json_is_refused_before_it_is_stored(store: Store) -> None:
    """NaN would be written by Python and refused by every reader of the export."""
    with pytest.raises((ValueError, StatementError), match="JSON"), store.session() as session:
        add_corpus(session, "any", [PassageRecord("a", "a", {"x": float("nan")})])
