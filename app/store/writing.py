"""What every large write needs: to be the only one, to know the ids of its rows, and to lose no time on each."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import text
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
            first = values[at][0]
            if all(value is first for value in values[at]):  # the same empty dictionary in every row, say
                values[at] = (process(first),) * len(values[at])
            else:
                values[at] = tuple(map(process, values[at]))
    mark = "?" if dialect.name == "sqlite" else "%s"
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join([mark] * len(columns))
    connection.exec_driver_sql(
        f"INSERT INTO {table.__tablename__} ({names}) VALUES ({marks})", list(zip(*values, strict=True))
    )
