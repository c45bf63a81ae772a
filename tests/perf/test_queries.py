"""Queries per page do not grow with what the page shows."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.store import columns
from app.store.engine import Store, open_store
from tests.support.seeded import fill
from tests.support.sites import counted, site, store_of

SMALL, LARGE = {"prompts": 8, "passages": 100, "k": 3}, {"prompts": 60, "passages": 400, "k": 60}
ALWAYS = 2  # what is not for everybody, and what has not arrived yet, asked once for every page
PAGES = {
    "/": 21,  # with the story's steps and claim, and a prompt to try of each task
    "/prompts": 6,
    "/prompts?task=fact&right=yes&sort=score": 7,
    "/prompts?q=capital": 7,
    "/runs": 4,
    "/runs/trackstar": 8,
    "/runs/trackstar/prompts/capital-china": 13,
    "/runs/trackstar/prompts/capital-china?view=verbatim&sort=score&task=fact": 15,
    "/passages/1": 8,  # with the names of models, of which some are states of one
    "/compare?runs=trackstar,bm25": 12,
}


@pytest.fixture(scope="module")
def sites_by_size(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[list[TestClient]]:
    with ExitStack() as opened:
        clients = []
        for size in (SMALL, LARGE):
            home = tmp_path_factory.mktemp("home")
            shutil.copy(migrated_sqlite, home / "startrail.db")
            url = f"sqlite:///{home / 'startrail.db'}"
            with open_store(url) as store, store.session() as session:
                fill(session, **size)
            clients.append(opened.enter_context(site(url, home)))
        yield clients


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_of_much_as_of_little(sites_by_size: list[TestClient], path: str) -> None:
    asked = []
    for client in sites_by_size:
        with counted(store_of(client)) as statements:
            assert client.get(path + ("&" if "?" in path else "?") + "show=200").status_code == 200
        asked.append([each for each in statements if not each.startswith("PRAGMA")])
    assert len(asked[0]) == len(asked[1]), asked
    assert len(asked[1]) <= ALWAYS + PAGES[path], asked[1]


@pytest.mark.parametrize("path", ["/prompts", "/", "/runs"])
def test_what_was_counted_once_is_not_counted_again(sites_by_size: list[TestClient], path: str) -> None:
    client = sites_by_size[1]
    client.get(path)
    with counted(store_of(client)) as statements:
        client.get(path)
    assert not [each for each in statements if "GROUP BY results.run_id" in each]


@pytest.mark.parametrize(
    "path",
    ["/prompts.jsonl", "/prompts.csv", "/runs/trackstar.parquet", "/evaluation.csv", "/finds/mistakes.csv"],
)
def test_a_file_asks_as_often_of_much_as_of_little(sites_by_size: list[TestClient], path: str) -> None:
    """A list's file asked three questions for each of its rows, and pages waited for it to end."""
    asked = []
    for client in sites_by_size:
        with counted(store_of(client)) as statements:
            assert client.get(path).status_code == 200
        asked.append([each for each in statements if not each.startswith("PRAGMA")])
    assert len(asked[0]) == len(asked[1]), asked


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/prompts", {"tally", "positions"}),
        ("/prompts?sort=score", {"tally", "positions", "order score"}),
        ("/prompts?task=fact", {"tally", "positions", "cells"}),
        (
            "/",
            {
                "tally",
                "positions",
                "cells",
                "order sure",
                "order frequency",
                "order probability",
                "order score",
            },
        ),
        ("/runs", {"tally"}),
    ],
)
def test_the_first_page_of_a_large_run_reads_the_columns_that_it_shows(
    large_run: TestClient, path: str, most: set[str]
) -> None:
    """All of them are eighty megabytes of a run of 1.2 million prompts, and a page took half a second."""
    read: set[str] = set()
    with parameters(store_of(large_run)) as asked:
        assert large_run.get(path).status_code == 200
    for statement, values in asked:
        if "FROM kept_columns" in statement:
            read |= {each for each in values if isinstance(each, str) and len(each) < 40}
        assert "ORDER BY results.run_id, results.position" not in statement  # nothing is read from the tables
    assert read <= most


@pytest.fixture
def large_run(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A site that has just been started, whose runs count as large."""
    shutil.copy(migrated_sqlite, tmp_path / "startrail.db")
    url = f"sqlite:///{tmp_path / 'startrail.db'}"
    monkeypatch.setattr(columns, "KEPT_FROM", 1)
    with open_store(url) as store:
        with store.session() as session:
            fill(session, **SMALL)
        columns.keep_columns(store.engine)
    with site(url, tmp_path) as client:
        yield client


@contextmanager
def parameters(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent, with what they ask for."""
    found: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        found.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
