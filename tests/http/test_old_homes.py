"""A home built at commit 5927f99 (tables 0002) opens, and everything it had promised an address to is still there.

`tests/support/old_home.json` holds the rows that version wrote for seven questions, one in each state.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import MetaData

from alembic import command
from app.paths import ALEMBIC
from app.store import leases, traces
from app.store.engine import DUMP, make_engine, migrate, open_store
from tests.support.sites import site, store_of

pytestmark = pytest.mark.slow

OLD: dict[str, Any] = json.loads((Path(__file__).parents[1] / "support/old_home.json").read_text())


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
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD["alembic"])
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection, only=["corpora", "passages", "traces"])
        for name in ("corpora", "passages", "traces"):
            rows = [{key: _value(key, value) for key, value in row.items()} for row in OLD[name]]
            connection.execute(tables.tables[name].insert(), rows)
    engine.dispose()
    return empty_url


def test_what_refers_to_a_table_outlives_its_being_altered(empty_url: str) -> None:
    """SQLite alters a table by making it anew and dropping the old one: with it went, by its cascades, all results of
    all runs."""
    engine = make_engine(empty_url)
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD["alembic"])
        tables = MetaData()
        tables.reflect(connection)
        now = datetime(2026, 1, 1)
        corpus = OLD["corpora"][0] | {"created_at": now}
        passage = next(row for row in OLD["passages"] if row["corpus_id"] == corpus["id"])
        prompt = {"task": "fact", "text": "Accra is in", "target": "Ghana", "aliases": [], "extra": {}}
        run = {
            "slug": "r",
            "name": "r",
            "method": "bm25",
            "configuration": {},
            "metrics": {},
            "status": "done",
        }
        rows: list[tuple[str, dict[str, Any]]] = [
            ("corpora", corpus),
            ("passages", passage),
            ("models", {"id": 1, "name": "m", "description": "", "created_at": now}),
            ("prompt_sets", {"id": 1, "name": "s", "corpus_id": corpus["id"], "created_at": now}),
            (
                "prompts",
                prompt | {"id": 1, "prompt_set_id": 1, "position": 0, "external_id": "p", "slug": "p"},
            ),
            ("outputs", {"id": 1, "model_id": 1, "prompt_id": 1, "samples": []}),
            ("statements", {"prompt_id": 1, "passage_id": passage["id"]}),
            (
                "runs",
                run
                | {"id": 1, "model_id": 1, "corpus_id": corpus["id"], "prompt_set_id": 1, "prompt_count": 1}
                | {"created_at": now},
            ),
            ("results", {"id": 1, "run_id": 1, "prompt_id": 1, "position": 0, "extra": {}}),
            ("retrieved", {"result_id": 1, "side": "proponent", "rank": 1, "passage_id": passage["id"]}),
        ]
        for name, row in rows:
            connection.execute(tables.tables[name].insert(), [row])
    engine.dispose()
    store = open_store(empty_url, migrate=True)
    with store.engine.connect() as connection:
        for name, _ in rows:
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() == 1, name
    store.engine.dispose()


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
        assert said["answer"]["provenance"] == old["result"]["provenance"]
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
