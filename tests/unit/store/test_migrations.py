"""A migration changes tables and loses no row of them, nor of those that belong to them."""

from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import create_engine, text

from alembic import command
from app.paths import ALEMBIC
from app.store.engine import migrate

ROWS = (
    "INSERT INTO models (id, name, description, created_at) VALUES (1, 'm', '', '2026-01-01')",
    "INSERT INTO corpora (id, name, description, passage_count, created_at) VALUES (1, 'c', '', 1, '2026-01-01')",
    "INSERT INTO passages (id, corpus_id, position, external_id, text, meta) VALUES (1, 1, 0, 'a', 'A.', '{}')",
    "INSERT INTO prompt_sets (id, name, corpus_id, created_at) VALUES (1, 'p', 1, '2026-01-01')",
    "INSERT INTO prompts (id, prompt_set_id, position, external_id, slug, task, text, target, aliases, extra)"
    " VALUES (1, 1, 0, 'a', 'a', 'fact', 'x', 'y', '[]', '{}')",
    "INSERT INTO outputs (id, model_id, prompt_id, samples) VALUES (1, 1, 1, '[]')",
    "INSERT INTO runs (id, slug, name, method, model_id, corpus_id, prompt_set_id, configuration, metrics, status,"
    " prompt_count, created_at) VALUES (1, 'r', 'R', 'bm25', 1, 1, 1, '{}', '{}', 'done', 1, '2026-01-01')",
    "INSERT INTO results (id, run_id, prompt_id, position, extra) VALUES (1, 1, 1, 0, '{}')",
    "INSERT INTO retrieved (result_id, side, rank, passage_id) VALUES (1, 'proponent', 1, 1)",
)
KEPT = ("models", "corpora", "passages", "prompts", "outputs", "runs", "results", "retrieved")


@pytest.mark.slow
@pytest.mark.parametrize("since", ["0007", "0008", "0009", "0010"])
def test_no_row_is_lost_on_the_way_up(tmp_path: Path, since: str) -> None:
    """On SQLite a table is changed by making it anew; once that took all results of all runs with it."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, since)
        for statement in ROWS:
            connection.execute(text(statement))
    migrate(url)
    with engine.connect() as connection:
        counts = {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in KEPT}
    engine.dispose()
    assert counts == dict.fromkeys(KEPT, 1)
