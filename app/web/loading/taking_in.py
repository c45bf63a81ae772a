"""One file into the store: only as large as it may be unpacked, under a free name, refused in the words of the form."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from app.errors import UserError
from app.interchange.fields import OPTIONS, Fields
from app.interchange.records import Bounds, Reading, weigh
from app.interchange.results import import_results
from app.store.arriving import arrival
from app.store.engine import Store
from app.store.naming import slugify
from app.store.tables import Run
from app.web.loading.imports import Finish, Report
from app.web.loading.multipart import need_room
from app.web.loading.names import unused

INFLATED = 20  # bytes that may come out of a file for each that may be sent
# Bytes of disk for each of a file: rows, their search index, and both once more in the log of SQLite (3.1 measured).
STORED = 4


def load_results(
    store: Store,
    path: Path,
    file: str,
    run: str,
    fields: Fields,
    *,
    rename: bool,
    limit: int,
    report: Report,
    finish: Finish,
) -> None:
    """Import a results file as a run, whole or not at all; with `rename`, under the next free name like `run`.

    Args:
        fields: names of fields that are not the format's.
        limit: bytes that a file may have as it is sent; decompressed it may have `INFLATED` times as many.

    Raises:
        UserError: a line of the file is broken, the name is taken, or the disk has no room for what comes out of it.
    """
    bounds = Bounds(
        total=INFLATED * max(limit, path.stat().st_size)
    )  # a file of the operator's own may be larger
    try:
        size = weigh(path, bounds)
    except UserError as error:
        error.file = file
        raise
    if store.engine.dialect.name == "sqlite":
        need_room(path.parent, STORED * size)
    if rename:
        with store.session() as session:
            taken = set(session.scalars(select(Run.slug)))
        run = unused(run, lambda name: slugify(name) in taken)
    with _in_words_of_the_form(), arrival(store) as arrives:
        made = import_results(
            arrives.session,
            path,
            run=run,
            name=file,
            reading=Reading(bounds=bounds),
            fields=fields,
            progress=lambda done, total: report("importing", done, total),
            arrival=arrives,
        )
        finish(arrives.session, made.slug, made.prompt_count)


@contextmanager
def _in_words_of_the_form() -> Iterator[None]:
    """Remedies name the form's fields in place of a command's options."""
    try:
        yield
    except UserError as error:
        for what, option in OPTIONS.items():
            error.remedy = error.remedy.replace(option, f"“{what}_field”, among the Fields of the form")
        raise
