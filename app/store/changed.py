"""How many rows a conditional UPDATE or DELETE met: by this the queue knows whose a job is."""

from typing import Any, cast

from sqlalchemy import CursorResult, Result


def changed(result: Result[Any]) -> int:
    """The number of rows. `Session.execute` is typed as for a SELECT, whose result has none."""
    return cast(CursorResult[Any], result).rowcount
