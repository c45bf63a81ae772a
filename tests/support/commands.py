"""Commands as typed, in a home of their own, and what they leave behind."""

import json
from pathlib import Path

from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.store.engine import open_store
from tests.support import tiny

PASSAGES = [
    *({"id": f"p{n}", "text": text} for n, text in enumerate(tiny.TEXTS)),
    {"id": "blank", "text": " \n"},
    {"id": "long", "text": " ".join(tiny.TEXTS)},
]
INDEX = ("--projection-dim", 3, "--shard-rows", 4)


def written(file: Path, *more: str) -> Path:
    file.write_text("".join(f"{line}\n" for line in [*map(json.dumps, PASSAGES), *more]))
    return file


def startrail(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(result: Result, *words: str) -> None:
    """One line of error that has the words, exit code 2, no traceback."""
    assert result.exit_code == 2, result.output
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.output
    assert all(word in errors[0] for word in words), errors[0]
    assert "Traceback" not in result.output


def kept(home: Path, table: type) -> int:
    """Rows of a table of the store."""
    store = open_store(f"sqlite:///{home / 'startrail.db'}", migrate=True)
    with store.session() as session:
        count = session.scalar(select(func.count()).select_from(table))
    store.engine.dispose()
    return count or 0
