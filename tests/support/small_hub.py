"""A hub of models on this machine: what the client asks of one at a pinned commit, and the bytes of its files."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c" * 40


class SmallHub:
    """Serves one model, `lab/tiny`; `asked` has the paths that were asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.asked = dict(files), list[str]()

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Status, content and type for a path."""
        self.asked.append(path)
        if path in (
            "/api/models/lab/tiny",
            *(f"/api/models/lab/tiny/revision/{r}" for r in ("main", COMMIT)),
        ):
            siblings = [{"rfilename": name} for name in self.files]
            told = {"id": "lab/tiny", "sha": COMMIT, "siblings": siblings, "private": False}
            return 200, json.dumps(told).encode(), "application/json"
        if path.startswith(f"/api/models/lab/tiny/tree/{COMMIT}"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in self.files.items()
            ]
            return 200, json.dumps(tree).encode(), "application/json"
        name = path.removeprefix(f"/lab/tiny/resolve/{COMMIT}/")
        if name in self.files:
            return 200, self.files[name], "application/octet-stream"
        return 404, b"", "text/plain"


@contextmanager
def serving(hub: SmallHub) -> Iterator[str]:
    """The hub's address, while it is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content, kind = hub.answer(self.path.partition("?")[0])
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
