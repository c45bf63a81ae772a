"""Changes to rows that others see already: made at once in a transaction of one's own, or kept until all else is there."""

import pickle
import tempfile
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import DeclarativeBase, Session

from app.store.full_text import NEW_TEXTS
from app.store.writing import insert_rows

Table = type[DeclarativeBase]


class SharedRows:
    """What is said of known things: written at once. `touched` are the tables that it is said in."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.touched: set[Table] = set()

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """New rows with texts that are searched."""
        if rows:
            self.touched.add(table)
            insert_rows(self.session, table, columns, rows)
            self.session.info[NEW_TEXTS] = True

    def update(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Columns of rows by their `id`."""
        if rows:
            self.touched.add(table)
            self.session.execute(update(table), rows)


class LaterRows(SharedRows):
    """The same, kept on disk until `write`: a transaction for them alone is short, however long their making took."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._many = 0

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Kept until `write`."""
        self._keep("insert", table, columns, rows)

    def update(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Kept until `write`."""
        self._keep("update", table, rows)

    def _keep(self, how: str, *what: Any) -> None:
        if what[-1]:
            self.touched.add(what[0])
            pickle.dump((how, *what), self._kept, pickle.HIGHEST_PROTOCOL)
            self._many += 1

    def write(self) -> None:
        """Make all changes, in their order."""
        self._kept.seek(0)
        for _ in range(self._many):
            how, *what = pickle.load(self._kept)  # our own, from a file without a name
            getattr(SharedRows, how)(self, *what)

    def close(self) -> None:
        """Forget them."""
        self._kept.close()
