"""How rare a phrase is: in how many passages of a corpus its words stand next to each other in this order."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnClause, Select, func, literal, literal_column, select, text, union_all
from sqlalchemy.orm import Session

from app.store.full_text import words
from app.store.tables import Passage

MOST = 1_000  # counted up to one more: beyond it a phrase is common, and how common does not matter


def phrase_counts(session: Session, corpus_id: int, phrases: Sequence[str]) -> dict[str, int]:
    """In how many passages of the corpus each phrase stands, counted up to `MOST` + 1. One query for all."""
    asked = [phrase for phrase in phrases if words(phrase)]
    if not asked:
        return {}
    counts = []
    for at, phrase in enumerate(asked):
        found = _with_phrase(session, corpus_id, phrase, f"phrase_{at}").limit(MOST + 1).subquery()
        counts.append(select(literal(at), func.count()).select_from(found))
    return {asked[at]: count for at, count in session.execute(union_all(*counts))}


def _with_phrase(session: Session, corpus_id: int, phrase: str, name: str) -> Select[Any]:
    wanted = " ".join(words(phrase))
    # Plus nothing: otherwise SQLite walks the corpus by its index and asks the search about every passage of it.
    of_corpus = select(Passage.id).where(Passage.corpus_id + 0 == corpus_id)
    if session.get_bind().dialect.name == "sqlite":
        rows = text(f"SELECT rowid AS id FROM passages_fts WHERE passages_fts MATCH :{name}")
        found = rows.bindparams(**{name: f'"{wanted}"'}).columns(id=Passage.id.type).subquery()
        return of_corpus.join(found, found.c.id == Passage.id)
    # The same expression as the index's, so that PostgreSQL uses it.
    vector: ColumnClause[str] = literal_column("startrail_words(coalesce(text, ''))")
    return of_corpus.where(vector.op("@@")(func.phraseto_tsquery("simple", wanted)))
