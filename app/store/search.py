"""Full-text search over prompts and passages: every word must occur; FTS5 on SQLite, tsvector on PostgreSQL."""

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, func, literal_column, select, text
from sqlalchemy.orm import Session

from app.store.tables import Passage, Prompt

MAX_WORDS = 20


def matching_prompts(session: Session, question: str) -> Select[tuple[int]]:
    """A query for the ids of prompts whose text or target contains every word."""
    return _matching(session, question, "prompts", "text || ' ' || target", Prompt.id)


def matching_passages(session: Session, question: str) -> Select[tuple[int]]:
    """A query for the ids of passages that contain every word."""
    return _matching(session, question, "passages", "text", Passage.id)


def search_passages(session: Session, question: str, limit: int = 5) -> Sequence[Passage]:
    """The first passages, by id, that contain every word."""
    if not words(question):
        return []
    query = select(Passage).where(Passage.id.in_(matching_passages(session, question).limit(limit)))
    return session.scalars(query.order_by(Passage.id)).all()


def words(question: str) -> list[str]:
    """The words of a search, without signs that mean something to a database."""
    return re.findall(r"\w+", question)[:MAX_WORDS]


def _matching(
    session: Session, question: str, table: str, columns: str, id_: ColumnElement[int]
) -> Select[tuple[int]]:
    wanted = words(question)
    if session.get_bind().dialect.name == "sqlite":
        match = " ".join(f'"{word}"' for word in wanted)
        rows = text(f"SELECT rowid AS id FROM {table}_fts WHERE {table}_fts MATCH :match")
        found = rows.bindparams(match=match or '""').columns(id=id_.type).subquery()
        return select(found.c.id)
    # The same expression as the index's, so that PostgreSQL uses it.
    vector = literal_column(f"to_tsvector('simple', left({columns}, 500000))")
    return select(id_).where(vector.op("@@")(func.plainto_tsquery("simple", " ".join(wanted))))
