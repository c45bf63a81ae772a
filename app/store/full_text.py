"""Full-text search over prompts, answers and passages: every word must occur, whatever its case or accents.

FTS5 on SQLite, `tsvector` on PostgreSQL, with one meaning (see the first migration). On SQLite new texts join the
index after the transaction that brought them (`catch_up`, called by `Store.session`).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnClause, Connection, Engine, Select, func, literal_column, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.store.tables import Output, Passage, Prompt

MAX_WORDS = 20
NEW_TEXTS = "new texts"  # set in `Session.info` by whoever inserts passages, prompts or outputs
SEARCHED = {"passages": "text", "prompts": "text, target", "outputs": "answer"}  # table -> columns
BATCH = 1_000  # rows indexed per transaction: other writers wait for no more than a moment


def matching_prompts(session: Session, question: str) -> Select[Any]:
    """A query for the ids of prompts whose text or target contains every word."""
    return _matching(
        session, question, "prompts", "coalesce(text, '') || ' ' || coalesce(target, '')", Prompt.id
    )


def matching_outputs(session: Session, question: str) -> Select[Any]:
    """A query for the ids of outputs whose answer contains every word."""
    return _matching(session, question, "outputs", "coalesce(answer, '')", Output.id)


def matching_passages(session: Session, question: str) -> Select[Any]:
    """A query for the ids of passages that contain every word."""
    return _matching(session, question, "passages", "coalesce(text, '')", Passage.id)


def search_passages(session: Session, question: str, limit: int = 5) -> Sequence[Passage]:
    """The first passages, by id, that contain every word."""
    if not words(question):
        return []
    query = select(Passage).where(Passage.id.in_(matching_passages(session, question).limit(limit)))
    return session.scalars(query.order_by(Passage.id)).all()


def words(question: str) -> list[str]:
    """The words of a search, without accents and without signs that mean something to a database."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", question))
    return [word for word in _BETWEEN.split(plain) if any(map(str.isalnum, word))][:MAX_WORDS]


def catch_up(engine: Engine, progress: Callable[[int, int], None] | None = None) -> None:
    """Index the texts that came since the last call (SQLite; PostgreSQL did it while they came).

    In short transactions of their own; a process that dies between two leaves the rest to the next call.
    """
    if engine.dialect.name != "sqlite":
        return
    with _unmapped(engine) as connection:
        new = {
            table: connection.scalar(text(f"SELECT count(*) FROM {_new(table)}")) or 0 for table in SEARCHED
        }
        connection.rollback()
        done, total = 0, sum(new.values())
        for table, columns in SEARCHED.items():
            rows = f"SELECT id, {columns} FROM {_new(table)} ORDER BY id LIMIT {BATCH}"
            insert = text(f"INSERT INTO {table}_fts(rowid, {columns}) {rows}")
            for _ in range(0, new[table], BATCH):
                with connection.begin():
                    done += connection.execute(insert).rowcount
                if progress:
                    progress(done, total)


@contextmanager
def _unmapped(engine: Engine) -> Iterator[Connection]:
    """A connection that reads the file in pieces: every text is read once, and a map of it would fill the memory."""
    with engine.connect() as connection:
        size = connection.exec_driver_sql("PRAGMA mmap_size").scalar_one()
        connection.exec_driver_sql("PRAGMA mmap_size=0")
        connection.commit()
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"PRAGMA mmap_size={size}")
            connection.commit()


def _new(table: str) -> str:
    """The rows that are not indexed yet: ids grow, and rows are indexed in their order."""
    return f"{table} WHERE id > (SELECT coalesce(max(id), 0) FROM {table}_fts_docsize)"


_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~\x00\ud800-\udfff]+")


def _matching(
    session: Session, question: str, table: str, columns: str, id_: InstrumentedAttribute[int]
) -> Select[Any]:
    wanted = words(question)
    if session.get_bind().dialect.name == "sqlite":
        match = " ".join(f'"{word}"' for word in wanted)
        rows = text(f"SELECT rowid AS id FROM {table}_fts WHERE {table}_fts MATCH :match")
        found = rows.bindparams(match=match or '""').columns(id=id_.type).subquery()
        return select(found.c.id)
    # The same expression as the index's, so that PostgreSQL uses it.
    vector: ColumnClause[str] = literal_column(f"startrail_words({columns})")
    asked = func.plainto_tsquery("simple", " ".join(wanted))
    return select(id_).where(vector.op("@@")(asked)).correlate(None)
