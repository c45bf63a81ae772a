"""How long one statement may take on an engine, and how much memory: a search that would run for minutes is stopped and says
so.

For the site's engine only. Imports, evaluations and workers take the time they need.
"""

import time
from typing import Any

from sqlalchemy import Engine, event

# What a connection to SQLite keeps of the file: fifteen with room for 64 MB each have a gigabyte.
FRUGAL = "PRAGMA cache_size=-4096"
STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock


def limit_statements(engine: Engine, seconds: float) -> None:
    """Stop every statement of the engine that takes longer; none takes more memory for more rows."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _watched)
        event.listen(engine, "before_cursor_execute", _until(seconds))
    else:
        event.listen(engine, "connect", _told(seconds))


def _watched(connection: Any, record: Any) -> None:
    connection.execute(FRUGAL)
    clock = record.info["until"] = [float("inf")]
    connection.set_progress_handler(lambda: time.monotonic() > clock[0], STEPS)


def _until(seconds: float) -> Any:
    def start(connection: Any, *rest: Any) -> None:
        if (clock := connection.info.get("until")) is not None:
            clock[0] = time.monotonic() + seconds

    return start


def _told(seconds: float) -> Any:
    def tell(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(seconds * 1000)}")
        connection.commit()

    return tell
