"""A viewer that another server shows loads a run by its address, as the paper's does: only a browser enforces CORS."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page

LOADED = """async address => {
    const answer = await fetch(address);
    return (await answer.text()).trim().split("\\n").map(line => JSON.parse(line).example_id);
}"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A page of another origin: another port of this machine."""
    (tmp_path / "index.html").write_text(
        "<!doctype html><link rel=icon href='data:,'><title>A viewer</title>"
    )
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join(5)


def test_a_viewer_of_this_machine_loads_a_run_by_address(page: Page, paper: str, elsewhere: str) -> None:
    """It was refused: no Access-Control-Allow-Origin. What it loads is the run, record by record."""
    page.goto(elsewhere)
    run = page.request.get(f"{paper}/api/v1/runs").json()["runs"][0]
    ids = page.evaluate(LOADED, f"{paper}/api/v1/runs/{run['slug']}.jsonl")
    assert len(ids) == run["prompts"]
