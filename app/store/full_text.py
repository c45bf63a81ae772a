"""Full-text search over prompts, answers and passages: every word must occur, whatever its case or accents.

FTS5 on SQLite, `tsvector` on PostgreSQL, with one meaning (see the first migration). On SQLite new texts join the
index after the transaction that brought them (`catch_up`, called by `Store.session`).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Engine,
    Select,
    TextClause,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.store.tables import Output, Passage, Prompt

MAX_WORDS = 20
NEW_TEXTS = "new texts"  # set in `Session.info` by whoever inserts passages, prompts or outputs
SEARCHED = {"passages": "text", "prompts": "text, target", "outputs": "answer"}  # table -> columns
_TOGETHER = 10_000  # rows found that are in memory at a time
_SOME = {"yield_per": _TOGETHER}
BATCH = 1_000  # rows indexed per transaction: other writers wait for no more than a moment


def matching_prompts(session: Session, question: str) -> Select[Any]:
    """A query for the ids of prompts whose text or target contains every word."""
    return _matching(session, question, Prompt.id)


def matching_outputs(session: Session, question: str) -> Select[Any]:
    """A query for the ids of outputs whose answer contains every word."""
    return _matching(session, question, Output.id)


def matching_passages(session: Session, question: str) -> Select[Any]:
    """A query for the ids of passages that contain every word."""
    return _matching(session, question, Passage.id)


def first_prompts(
    session: Session, question: str, prompt_set: int, after: int, limit: int | None
) -> Iterator[Sequence[Any]]:
    """The first prompts of a set behind the id `after` that contain every word, ascending: (id, id), some thousands together.
    Without a limit those of other sets may be among them."""
    return _first(session, question, (Prompt.id, Prompt.id), Prompt.prompt_set_id, prompt_set, after, limit)


def first_answers(
    session: Session, question: str, model: int, after: int, limit: int | None
) -> Iterator[Sequence[Any]]:
    """The first answers of a model behind the id `after` that contain every word, ascending: (id, id of its prompt)."""
    return _first(session, question, (Output.id, Output.prompt_id), Output.model_id, model, after, limit)


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
    with engine.connect() as connection:
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


def _new(table: str) -> str:
    """The rows that are not indexed yet: ids grow, and rows are indexed in their order."""
    return f"{table} WHERE id > (SELECT coalesce(max(id), 0) FROM {table}_fts_docsize)"


_ACCENTS = re.compile("[\u0300-\u036f]")
_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~\x00\ud800-\udfff]+")


def _matching(session: Session, question: str, id_: InstrumentedAttribute[int]) -> Select[Any]:
    if session.get_bind().dialect.name != "sqlite":
        return select(id_).where(_has_words(question, id_)).correlate(None)
    name = id_.class_.__tablename__
    rows = text(f"SELECT rowid AS id FROM {name}_fts WHERE {name}_fts MATCH :match")
    found = rows.bindparams(match=_match(question)).columns(id=id_.type).subquery()
    return select(found.c.id)


def _all_rows(question: str, id_: InstrumentedAttribute[int]) -> TextClause:
    name = id_.class_.__tablename__
    rows = text(f"SELECT rowid, rowid FROM {name}_fts WHERE {name}_fts MATCH :match ORDER BY rowid")
    return rows.bindparams(match=_match(question))


def _first(
    session: Session,
    question: str,
    columns: tuple[InstrumentedAttribute[int], InstrumentedAttribute[int]],
    owner: InstrumentedAttribute[int],
    of: int,
    after: int,
    limit: int | None,
) -> Iterator[Sequence[Any]]:
    """Rows by id, which is the first of the columns."""
    id_ = columns[0]
    if session.get_bind().dialect.name != "sqlite":
        query = select(*columns).where(_has_words(question, id_), owner == of, id_ > after)
        return session.execute(query.order_by(id_).limit(limit), execution_options=_SOME).partitions(
            _TOGETHER
        )
    if limit is None and columns[1] is id_:  # all of them, also of other sets: nothing but the index is read
        return session.execute(_all_rows(question, id_), execution_options=_SOME).partitions(_TOGETHER)
    # SQLite goes through the rows that have the words, in the order of their ids, and stops where there are enough.
    name = id_.class_.__tablename__
    rows = text(
        f"SELECT t.id, t.{columns[1].key} FROM {name}_fts CROSS JOIN {name} t ON t.id = {name}_fts.rowid"
        f" WHERE {name}_fts MATCH :match AND {name}_fts.rowid > :after AND t.{owner.key} = :owner"
        f" ORDER BY {name}_fts.rowid LIMIT :limit"
    )
    asked = {"match": _match(question), "after": after, "owner": of, "limit": -1 if limit is None else limit}
    return session.execute(rows, asked, execution_options=_SOME).partitions(_TOGETHER)


def _match(question: str) -> str:
    """For FTS5: every word, none of them an operator."""
    return " ".join(f'"{word}"' for word in words(question)) or '""'


def _has_words(question: str, id_: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """For PostgreSQL: the same expression as the index's, so that it is used."""
    texts = " || ' ' || ".join(
        f"coalesce({column}, '')" for column in SEARCHED[id_.class_.__tablename__].split(", ")
    )
    vector: ColumnClause[str] = literal_column(f"startrail_words({texts})")
    return vector.op("@@", is_comparison=True)(func.plainto_tsquery("simple", " ".join(words(question))))
