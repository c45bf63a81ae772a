"""What every large write needs: to be the only one, to know the ids of its rows, and to lose no time on each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

_LOCK = 0x57A27A11  # any number, the same everywhere


def write_alone(session: Session) -> None:
    """Become the one who writes until the transaction ends; another import waits here.

    On SQLite this begins the transaction as a writing one: what is read from now on stays true.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("UPDATE runs SET id = id WHERE 0"))
    else:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def new_ids(session: Session, table: type[DeclarativeBase], count: int) -> range | list[int]:
    """Ids for new rows, ascending, never given out before. SQLite: only after `write_alone`."""
    name = table.__tablename__
    if session.get_bind().dialect.name == "sqlite":
        used = session.execute(
            text(
                f"SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{name}'), 0),"
                f" coalesce((SELECT max(id) FROM {name}), 0))"
            )
        ).scalar_one()
        return range(used + 1, used + 1 + count)
    query = text(f"SELECT nextval(pg_get_serial_sequence('{name}', 'id')) FROM generate_series(1, :count)")
    return sorted(session.scalars(query, {"count": count}))


def insert_rows(
    session: Session, table: type[DeclarativeBase], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Insert many rows straight through the driver: several times as fast as through the ORM.

    Every value passes its column's type as usual; defaults of columns that are not named do not apply.
    """
    connection = session.connection()
    dialect = connection.dialect
    values = list(zip(*rows, strict=True))
    if not values:
        return
    for at, column in enumerate(columns):
        process = table.__table__.c[column].type.dialect_impl(dialect).bind_processor(dialect)
        if process:
            values[at] = _processed(values[at], process)
    names = ", ".join(f'"{column}"' for column in columns)
    rows = zip(*values, strict=True)
    if dialect.name == "sqlite":
        marks = ", ".join(["?"] * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.__tablename__} ({names}) VALUES ({marks})", list(rows)
        )
    else:
        _copy(connection, f"COPY {table.__tablename__} ({names}) FROM STDIN", rows)


def _copy(connection: Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """PostgreSQL's own way to take many rows: half the time of `INSERT`, see docs/log.md."""
    dialect = connection.dialect
    refused: type[Exception] = dialect.loaded_dbapi.Error
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except refused as error:  # as SQLAlchemy says it of every other statement
        raise DBAPIError.instance(statement, None, error, refused, dialect=dialect) from error


def _processed(values: tuple[Any, ...], process: Callable[[Any], Any]) -> tuple[Any, ...]:
    """What each value becomes for the driver. The same value again and again, an empty dictionary say, is worked on once."""
    first = values[0]
    if values[-1] is first and all(value is first for value in values):
        return (process(first),) * len(values)
    return tuple(map(process, values))
