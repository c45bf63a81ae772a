"""Homes of older versions open, and everything that they had promised an address to is still there.

`tests/support/old_home.json` holds the rows that version 0.1.0 (at 5927f99, tables 0002) wrote for seven questions, one in each
state.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import Connection, MetaData

from alembic import command
from app.paths import ALEMBIC, CHECKOUT
from app.store import leases, traces
from app.store.engine import DUMP, make_engine, migrate, open_store
from tests.support.sites import site, store_of

pytestmark = pytest.mark.slow

OLD: dict[str, Any] = json.loads((Path(__file__).parents[1] / "support/old_home.json").read_text())

# The tables that each version wrote: of 0.1.0 the first and last, of 0.2.0 some in its midst.
RELEASED = {"0.1.0": ["0002", "0005"], "0.2.0": ["0012"]}


def trace(**like: Any) -> dict[str, Any]:
    """The one old row whose columns are these; `kind` is of what was asked."""
    (found,) = (
        row
        for row in OLD["traces"]
        if all(row.get(name, row["request"].get(name)) == value for name, value in like.items())
    )
    return dict(found)


@pytest.fixture
def old_url(empty_url: str) -> str:
    """The old home's database, as the new version finds it."""
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        upgrade(connection, OLD["alembic"])
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection, only=["corpora", "passages", "traces"])
        for name in ("corpora", "passages", "traces"):
            rows = [{key: _value(key, value) for key, value in row.items()} for row in OLD[name]]
            connection.execute(tables.tables[name].insert(), rows)
    engine.dispose()
    return empty_url


def upgrade(connection: Connection, revision: str) -> None:
    """The tables of an older version."""
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def write_library(connection: Connection) -> list[str]:
    """One of everything that a run needs, in the tables that are there; returns their names."""
    tables = MetaData()
    tables.reflect(connection)
    now = datetime(2026, 1, 1)
    corpus = OLD["corpora"][0] | {"created_at": now}
    passage = next(row for row in OLD["passages"] if row["corpus_id"] == corpus["id"])
    prompt = {
        "task": "fact",
        "text": "Accra is in",
        "target": "Ghana",
        "aliases": [],
        "extra": {},
        "prompt_set_id": 1,
    }
    run = {
        "slug": "r", "name": "r", "method": "bm25", "configuration": {}, "metrics": {}, "status": "done", "model_id": 1,
        "corpus_id": corpus["id"], "prompt_set_id": 1, "prompt_count": 1, "created_at": now, "finished_at": now,
    }  # fmt: skip
    rows: list[tuple[str, dict[str, Any]]] = [
        ("corpora", corpus),
        ("passages", passage),
        ("models", {"id": 1, "name": "m", "description": "", "created_at": now}),
        ("prompt_sets", {"id": 1, "name": "s", "corpus_id": corpus["id"], "created_at": now}),
        ("prompts", prompt | {"id": 1, "position": 0, "external_id": "p", "slug": "p"}),
        ("outputs", {"id": 1, "model_id": 1, "prompt_id": 1, "samples": []}),
        ("statements", {"prompt_id": 1, "passage_id": passage["id"]}),
        ("runs", run | {"id": 1}),
        ("results", {"id": 1, "run_id": 1, "prompt_id": 1, "position": 0, "extra": {}}),
        ("retrieved", {"result_id": 1, "side": "proponent", "rank": 1, "passage_id": passage["id"]}),
    ]
    for name, row in rows:
        connection.execute(tables.tables[name].insert(), [row])
    return [name for name, _ in rows]


def test_what_refers_to_a_table_outlives_its_being_altered(empty_url: str) -> None:
    """SQLite alters a table by making it anew and dropping the old one: with it went, by its cascades, all results of
    all runs."""
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        upgrade(connection, OLD["alembic"])
        names = write_library(connection)
    engine.dispose()
    store = open_store(empty_url, migrate=True)
    with store.engine.connect() as connection:
        for name in names:
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() == 1, name
    store.engine.dispose()


def test_every_version_that_was_released_has_homes_here() -> None:
    said = re.findall(r"^## ([0-9.]+)$", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert set(said) == set(RELEASED)


@pytest.mark.parametrize("revision", sorted({each for tables in RELEASED.values() for each in tables}))
def test_a_library_that_any_version_wrote_is_read_at_its_addresses(
    empty_url: str, tmp_path: Path, revision: str
) -> None:
    """Every address that those versions had for it, as a page, as a document, as a file."""
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        upgrade(connection, revision)
        write_library(connection)
    engine.dispose()
    migrate(empty_url)
    passage = next(row["id"] for row in OLD["passages"] if row["corpus_id"] == OLD["corpora"][0]["id"])
    with site(empty_url, tmp_path) as client:
        for address in (
            f"/passages/{passage}",
            "/runs/r",
            "/runs/r/prompts/p",
            "/prompts?run=r",
            "/evaluation",
            "/",
        ):
            page = client.get(address)
            assert page.status_code == 200, (address, page.text[:300])
            if "?" not in address and address != "/":
                assert client.get(f"{address}.json").status_code == 200
        (record,) = client.get("/runs/r.jsonl").text.splitlines()
        assert json.loads(record)["inputs_plaintext"] == "Accra is in"
        assert client.get("/runs/r/prompts/p.csv").text.count(str(passage)) > 0
        store_of(client).engine.dispose()


def _value(key: str, value: Any) -> Any:
    if value is not None and (key.endswith("_at") or key == "lease_until"):
        return datetime.fromisoformat(f"{value}+00:00")
    return value


@pytest.fixture
def client(old_url: str, tmp_path: Path) -> Iterator[TestClient]:
    migrate(old_url)
    with site(old_url, tmp_path) as opened:
        yield opened


def test_an_old_answer_stands_at_its_address_as_it_was(client: TestClient) -> None:
    for old in (row for row in OLD["traces"] if row["request"]["kind"] == "trace" and row["result"]):
        said = client.get(f"/traces/{old['id']}.json").json()
        assert said["status"] == "done"
        assert [each["passage_id"] for each in said["proponents"]] == [
            each["passage_id"] for each in old["result"]["rankings"]["trackstar"]["proponents"]
        ]
        new: dict[str, object] = {"unsearched": [], "part": None}  # all rows of its index were looked at
        assert said["answer"]["provenance"] == old["result"]["provenance"] | new
        page = BeautifulSoup(client.get(f"/traces/{old['id']}").text, "html.parser")
        assert old["request"]["completion"] in page.h1.text
        stream = client.get(f"/traces/{old['id']}/events").text
        assert "event: done" in stream


def test_an_old_training_is_shown_with_its_trace(client: TestClient) -> None:
    old = trace(kind="train")
    answer = client.get(f"/traces/{old['id']}", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/traces/{old['request']['trace']}#causes"
    assert client.get(f"/traces/{old['id']}.json").json()["result"] == old["result"]
    said = client.get(f"/traces/{old['request']['trace']}.json").json()
    assert [each["tail_patch"] for each in said["proponents"]] == [
        each["change"] for each in old["result"]["steps"]
    ]


def test_an_old_shading_is_still_its_json(client: TestClient) -> None:
    old = trace(kind="shade")
    assert client.get(f"/traces/{old['id']}").json()["result"] == old["result"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_was_not_answered_says_why(client: TestClient, status: str) -> None:
    old = trace(status=status)
    said = client.get(f"/traces/{old['id']}.json").json()
    assert (said["status"], said["error"], said["answer"]) == (status, old["error"], None)
    assert client.get(f"/traces/{old['id']}").status_code == 200
    assert old["request"]["prompt"] in client.get(f"/trace?from={old['id']}").text


def test_what_waited_waits_and_is_taken(client: TestClient) -> None:
    old = trace(status="queued")
    assert client.get(f"/traces/{old['id']}.json").json()["place"] == 1
    with store_of(client).session() as session:
        (taken,) = leases.claim(session, "a/1/x", 9)
        assert (taken.id, taken.kind, taken.request) == (old["id"], "trace", old["request"])
        assert leases.finish(session, taken.id, "a/1/x")
        traces.keep(session, taken, trace(kind="trace", prompt="The capital of Mali is")["result"])
    assert client.get(f"/traces/{old['id']}.json").json()["status"] == "done"


def test_the_questions_asked_last_are_the_answered_ones(client: TestClient) -> None:
    answered = [row["id"] for row in OLD["traces"] if row["request"]["kind"] == "trace" and row["result"]]
    assert [each["id"] for each in client.get("/trace.json").json()["recent"]] == answered[::-1]


def test_back_to_the_old_tables_and_forth_keeps_the_answers(old_url: str) -> None:
    migrate(old_url)
    engine = make_engine(old_url)
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, OLD["alembic"])
    engine.dispose()
    migrate(old_url)
    store = open_store(old_url)
    with store.session() as session:
        kept = {each.id: each.result for each in traces.recent(session, limit=99)}
    store.engine.dispose()
    assert DUMP.encode(kept) == DUMP.encode({each: trace(id=each)["result"] for each in kept}), (
        "to the last digit"
    )
    assert len(kept) == 2
