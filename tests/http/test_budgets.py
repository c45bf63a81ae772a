"""No kind of request starves the others: pages answer whatever exports do, and who must wait is told for how long."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.settings import Settings
from app.store.engine import Store, make_engine
from app.store.limits import limit_statements
from app.store.trouble import is_trouble
from app.web.site import budgets
from tests.support.sites import serving, site, store_of

pytestmark = pytest.mark.slow

AT_ONCE = 24


@pytest.fixture
def address(filled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(budgets, "PATIENCE", 1.0)
    settings = Settings(home=tmp_path, database_url=filled_url, _env_file=None)
    with serving(settings) as found:
        yield found


@pytest.mark.slow
def test_pages_answer_while_many_exports_run_and_no_export_is_cut(address: str) -> None:
    """Sixteen at once held two connections each of fifteen: pages waited 30 s, files ended early under a 200."""

    def export() -> httpx.Response:
        return httpx.get(f"{address}/runs/hostile.jsonl", params={"sort": "score"}, timeout=60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(export) for _ in range(AT_ONCE)]
        pages = [httpx.get(f"{address}/prompts", timeout=10).status_code for _ in range(10)]
        answers = [each.result() for each in running]
    assert set(pages) == {200}
    assert {each.status_code for each in answers} <= {200, 503}
    for each in answers:
        if each.status_code == 200:
            assert json.loads(each.text.splitlines()[-1])["end_of_export"] == int(each.headers["x-row-count"])
        else:
            assert int(each.headers["retry-after"]) > 0
            assert "Too many exports" in each.text


def test_slow_readers_of_files_hold_places_of_files_only(address: str) -> None:
    """They read nothing and stay: other files are refused within seconds, pages and health are not."""
    host = urlsplit(address)
    held = []
    for _ in range(budgets.PLACES["exports"]):
        reader = socket.create_connection((host.hostname, host.port))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(b"GET /prompts.jsonl?run=hostile HTTP/1.1\r\nHost: localhost\r\n\r\n")
        held.append(reader)
    time.sleep(0.5)
    started = time.monotonic()
    refused = httpx.get(f"{address}/prompts.jsonl?run=trackstar", timeout=20)
    assert time.monotonic() - started < 10
    for path in ("/prompts", "/runs/trackstar", "/healthz", "/passages/1"):
        assert httpx.get(address + path, timeout=10).status_code == 200
    for reader in held:
        reader.close()
    if refused.status_code == 503:
        assert "Too many exports" in refused.text
    assert refused.status_code in (200, 503)


def test_a_page_gives_its_connection_back_before_it_is_sent(filled_url: str, tmp_path: Path) -> None:
    with site(filled_url, tmp_path) as client:
        pool = store_of(client).engine.pool
        for path in (
            "/prompts",
            "/runs/trackstar",
            "/prompts.csv?run=trackstar",
            "/runs/hostile/prompts/attack.jsonl",
        ):
            with client.stream("GET", path) as answer:
                assert answer.status_code == 200
                ends = time.monotonic() + 5  # a list's next rows may just be read; then nothing is held
                while pool.checkedout():  # type: ignore[attr-defined]  # the pool of a file, and not of memory
                    assert time.monotonic() < ends, path
                    time.sleep(0.01)


LONG = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000000) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


def test_a_statement_that_takes_too_long_is_stopped(database_url: str) -> None:
    engine = make_engine(database_url)
    limit_statements(engine, 0.5)
    store = Store(engine)
    for _ in range(2):  # the connection is good for the next one
        started = time.monotonic()
        with pytest.raises(DBAPIError) as stopped, store.session() as session:
            session.execute(text(LONG[engine.dialect.name])).all()
        assert time.monotonic() - started < 5
        assert is_trouble(stopped.value) == "slow"
        with store.session() as session:
            assert session.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_heavy_search_says_that_it_was_stopped(
    filled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it, and the reader learns what to do instead of seeing a fault."""

    def search(session: object, words: str) -> list[object]:
        session.execute(text(LONG[session.get_bind().dialect.name]))  # type: ignore[attr-defined]  # an engine or a connection, and both have one
        return []

    monkeypatch.setattr("app.store.full_text.search_passages", search)
    with site(filled_url, tmp_path, statement_seconds=0.3) as client:
        answer = client.get("/prompts?q=cedi")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "was stopped" in answer.text
        assert client.get("/prompts.json?q=cedi").json()["status"] == 503


def test_a_site_whose_connections_are_all_in_use_says_so_soon(
    filled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty seconds of waiting ended in a 500."""
    monkeypatch.setattr("app.main.BUSY_SECONDS", 0.2)
    with site(filled_url, tmp_path) as client:
        engine = store_of(client).engine
        held = [engine.connect() for _ in range(15)]
        answer = client.get("/prompts")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "Too many ask the database at once" in answer.text
        for each in held:
            each.close()
        assert client.get("/prompts").status_code == 200
        engine.dispose()


def test_a_site_without_memory_says_so_once_and_that_it_goes_on(
    filled_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was taken for a busy database, and no line of the log told that any trouble was over."""
    with site(filled_url, tmp_path) as client, monkeypatch.context() as short:
        monkeypatch.setattr("app.web.site.watching.CALM", 0.0)

        def search(*_: object) -> list[object]:
            raise MemoryError

        short.setattr("app.store.full_text.search_passages", search)
        for _ in range(3):
            page = client.get("/prompts?q=cedi")
            assert (page.status_code, page.headers["retry-after"]) == (503, "10")
            assert "not memory enough" in page.text
        problem = client.get("/prompts.json?q=cedi")
        assert problem.headers["content-type"] == "application/problem+json"
        assert "memory" in problem.json()["detail"]
        short.undo()
        assert client.get("/prompts?q=cedi").status_code == 200
    said = [each.getMessage() for each in caplog.records if each.name == "app.web.site.problems"]
    assert said == ["The site waits: too little memory ().", "The site goes on after too little memory."]


def test_places_are_given_back_by_those_who_leave(filled_url: str, tmp_path: Path) -> None:
    with site(filled_url, tmp_path) as client:
        threads = [threading.Thread(target=client.get, args=("/prompts.csv",)) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        client.head("/prompts.csv")
        places = client.app.state.budgets._places  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
        assert {kind: each._value for kind, each in places.items()} == budgets.PLACES
