"""Data sets named on the hub: read file by file at one pinned revision, from a small hub on this machine."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import huggingface_hub.constants
import pytest

from app.errors import UserError
from app.interchange.plain import read_passages
from app.interchange.records.sources import find

COMMIT = "a" * 40
FILES = {
    f"en/train-{number}.jsonl": "".join(
        json.dumps({"text": f"Page {number}.{n}"}) + "\n" for n in range(2)
    ).encode()
    for number in (10, 2)
}
FILES |= {"en/test-0.jsonl": b'{"text": "Test."}\n', "README.md": b"# About", ".gitattributes": b""}


class Hub(BaseHTTPRequestHandler):
    """What the client asks of a hub: a data set's files at a revision, and their bytes."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        if path.startswith("/api/datasets/lab/pages"):
            told = {"id": "lab/pages", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]}
            self._answer(json.dumps(told).encode(), "application/json")
        elif path.startswith(f"/datasets/lab/pages/resolve/{COMMIT}/"):
            self._answer(FILES[path.partition(f"{COMMIT}/")[2]], "text/plain")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    constants = huggingface_hub.constants  # read from HF_ENDPOINT when the library is first imported
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    Hub.asked.clear()
    yield address
    server.shutdown()
    server.server_close()


def test_a_data_set_is_read_in_order_at_one_revision(hub: str) -> None:
    texts = [each.text for each in read_passages("hf://datasets/lab/pages")]
    assert texts == ["Page 2.0", "Page 2.1", "Page 10.0", "Page 10.1"]
    assert [str(source.name) for source in find(["hf://datasets/lab/pages/en"], split="test")] == [
        f"hf://datasets/lab/pages@{COMMIT}/en/test-0.jsonl"
    ]


def test_what_the_hub_does_not_have_is_one_sentence(hub: str) -> None:
    for where, said in (
        ("hf://datasets/lab/none", "did not give it"),
        ("hf://datasets/lab/pages/fr", "no such file"),
        ("hf://lab/pages", "names no data set"),
    ):
        with pytest.raises(UserError, match=said):
            list(read_passages(where))
