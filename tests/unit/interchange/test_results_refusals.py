"""A broken file is one sentence with file, line, field and remedy, exit code 2, and the database as it was."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from typer.testing import Result

from app.settings import get_settings
from app.store.engine import Store
from tests.support.paper_records import paper_record, write


def contents(store: Store) -> dict[str, int]:
    """Rows of every table, the search index's own included."""
    with store.engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if "_fts_" not in name]
        counts = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables
        }
        if connection.dialect.name == "sqlite":
            for table in ("passages", "prompts", "outputs"):
                query = text(f"SELECT count(*) FROM {table}_fts_docsize")
                counts[f"{table} searched"] = connection.execute(query).scalar_one()
        return counts


def refused(result: Result, *words: str) -> None:
    """One line on standard error, no traceback, exit code 2."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


GOOD = paper_record(0)
TOO_LARGE = 10**400
BROKEN: list[tuple[str, str, str, str]] = [
    # (why, the third line, field, part of the message)
    ("cut off", '{"example_id": "x", "inputs_pl', "", "not JSON"),
    ("infinite", '{"inputs_plaintext": "a", "targets_plaintext": "b", "x": Infinity}', "x", "Infinity"),
    ("NaN is no target", '{"inputs_plaintext": "a", "targets_plaintext": NaN}', "targets_plaintext", "missing"),
    ("infinity", '{"inputs_plaintext": "a", "targets_plaintext": "b", "x": [1e999]}', "x", "too large"),
    ("a list", "[1, 2]", "", "not a JSON object"),
    ("no prompt", '{"targets_plaintext": "b"}', "inputs_plaintext", "missing"),
    ("prompt is a number", '{"inputs_plaintext": 7, "targets_plaintext": "b"}', "inputs_plaintext", "not text"),
    ("no target", '{"inputs_plaintext": "a", "targets_plaintext": null}', "targets_plaintext", "missing"),
    *(
        (why, json.dumps(paper_record(2, **{field: value})), field, said)
        for why, field, value, said in (
            ("lists of two lengths", "proponent_scores", [0.5], "1 values"),
            ("a score in quotes", "proponent_scores", [0.5, "0.4", 0.3], "'0.4' is not a number"),
            ("scores are no list", "proponent_scores", 0.5, "not a list"),
            ("an infinite score", "proponent_scores", [TOO_LARGE, 1.0, 0.0], "not a number"),
            ("correct is a number", "proponent_correct", [1, 0, 2], "2 is not true or false"),
            ("a passage is null", "proponents", ["a", None, "c"], "Passage 2"),
            ("an id is a list", "proponent_ids", [["x"], "y", "z"], "lists in a list"),
            ("a rank below zero", "proponent_ranks", [-1, 2, 3], "-1 is not a count"),
            ("opponents too long", "opponent_scores", [1.0, 2.0], "2 values"),
            ("frequency in words", "c4_frequency", "many", "'many' is not a count"),
            ("frequency beyond the column", "c4_frequency", 1 << 63, "not a count"),
            ("scores in a table", "proponent_scores", [[1.0, 2.0]] * 3, "3×2"),
            ("scores in lists of many lengths", "proponent_scores", [[1.0], 2.0, 3.0], "ragged"),
            ("confidence in quotes", "8b_confidence", "0.50", "not a number"),
            ("samples in one text", "8b_generations", "a, b", "not a list of texts"),
            ("correct in words", "is_8b_correct", "yes", "not true or false"),
            ("an id that is true", "example_id", True, "not an id"),
            ("relation is a number", "relation", 19, "not text"),
        )
    ),
    ("ids of nothing", '{"inputs_plaintext": "a", "targets_plaintext": "b", "proponent_ids": ["nowhere"]}',
     "proponent_ids", "nowhere"),
    ("scores of nothing", '{"inputs_plaintext": "a", "targets_plaintext": "b", "proponent_scores": [1.0]}',
     "proponents", "missing"),
    ("a cut export", json.dumps(paper_record(2, end_of_export=7)), "end_of_export", "7 records are announced"),
]  # fmt: skip


@pytest.mark.slow
def test_a_broken_line_is_named_and_nothing_of_the_file_stays(run: Any, store: Store, tmp_path: Path) -> None:
    before = contents(store)
    for why, line, field, said in BROKEN:
        path = tmp_path / f"{why}.jsonl"
        path.write_text(
            f"{json.dumps(GOOD)}\n{json.dumps(paper_record(1))}\n{line}\n{json.dumps(paper_record(3))}\n"
        )
        refused(
            run("import", path, "--run", "broken"), f"{path}:3", *([f"field {field}"] if field else []), said
        )
        assert contents(store) == before, why


def test_a_line_broken_after_many_written_ones_takes_them_back(
    run: Any, store: Store, tmp_path: Path
) -> None:
    """450 records have been written when the error comes; passages and their words must go as well."""
    path = write(tmp_path / "results.jsonl", [paper_record(n) for n in range(450)])
    with path.open("a") as file:
        file.write("{}\n")
    before = contents(store)
    refused(run("import", path, "--run", "broken"), f"{path}:451", "inputs_plaintext")
    assert contents(store) == before


def test_records_behind_the_end_of_an_export_are_refused(run: Any, store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper_record(0, end_of_export=1), paper_record(1)])
    refused(run("import", path, "--run", "x"), f"{path}:2", "end_of_export")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jsonl", b"", "no record"),
        ("blank.jsonl", b"\n\n  \n", "no record"),
        ("latin.jsonl", b'{"inputs_plaintext": "Z\xfcrich"}\n', "not UTF-8"),
        ("cut.jsonl.gz", gzip.compress(json.dumps(GOOD).encode() * 500)[:-200], "breaks off or is damaged"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\x00\xff", "a picture"),
        ("deep.jsonl", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    run: Any, store: Store, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    before = contents(store)
    refused(run("import", path, "--run", "x"), name, said)
    refused(
        run("corpus", "add", path), name if said != "no record" else "", said if said != "no record" else ""
    )
    assert contents(store) == before


def test_a_count_that_no_column_holds_is_refused(run: Any, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text('{"id": "a", "prompt": "x", "target": "y", "frequency": 99999999999999999999}\n')
    before = contents(store)
    refused(run("prompts", "add", path), f"{path}:1", "field frequency", "no count")
    assert contents(store) == before


def test_a_missing_file_is_refused(run: Any, store: Store, tmp_path: Path) -> None:
    refused(run("import", tmp_path / "none.jsonl", "--run", "x"), "none.jsonl", "no such file")
    (tmp_path / "empty").mkdir()
    refused(run("import", tmp_path / "empty", "--run", "x"), "no file of records")


def test_a_name_that_is_taken_is_refused(run: Any, store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [GOOD])
    assert run("import", path, "--run", "Mine").exit_code == 0
    before = contents(store)
    refused(run("import", path, "--run", "mine"), "“mine”", "startrail runs remove mine")
    refused(run("import", path, "--run", ""), "run")
    for option in ("prompts", "corpus", "model"):
        refused(run("import", path, "--run", "x", f"--{option}", " "), f"field {option}", "blank")
    assert contents(store) == before


def test_a_complete_corpus_takes_in_no_strangers(run: Any, store: Store, tmp_path: Path) -> None:
    """Its passages are the rows of its indexes: one more would shift nothing, but be found by no search."""
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(
        '{"id": "c4:0", "text": "He was born in Paris."}\n{"id": "c4:mural", "text": "Another text."}\n'
    )
    assert run("corpus", "add", corpus, "--name", "world").exit_code == 0
    before = contents(store)
    path = write(tmp_path / "a.jsonl", [GOOD])
    refused(run("import", path, "--run", "x", "--corpus", "world"), f"{path}:1", "c4:mural", "--corpus")
    assert contents(store) == before


def test_a_database_that_is_not_there_is_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARTRAIL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    get_settings.cache_clear()
    refused(run("runs", "list"), "STARTRAIL_DATABASE_URL")
