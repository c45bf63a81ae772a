"""A hub on this machine: what the client asks of a model or data set at a pinned commit, and the bytes of its files."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub.constants
import pytest

from tests.support.small_server import Quiet, answering

COMMIT, NEXT = "c" * 40, "d" * 40
MODELS, DATASETS = "models", "datasets"


class SmallHub:
    """Serves one model, `lab/tiny`, or one data set; `asked` has the paths that were asked for.

    Args:
        kind: of `MODELS` and `DATASETS`.
    """

    def __init__(self, files: Mapping[str, bytes], kind: str = MODELS) -> None:
        self.commit, self.asked = COMMIT, list[str]()
        self._commits = {COMMIT: dict(files)}
        self._api = f"/api/{kind}/lab/tiny"
        self._files = "/lab/tiny/resolve" if kind == MODELS else f"/{kind}/lab/tiny/resolve"

    def push(self, files: Mapping[str, bytes]) -> None:
        """`main` is another commit from now on; the first one can still be had by its name."""
        self.commit = NEXT
        self._commits[NEXT] = dict(files)

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Status, content and type for a path."""
        self.asked.append(path)
        named = {"main": self.commit} | {commit: commit for commit in self._commits}
        heads = {self._api: self.commit} | {f"{self._api}/revision/{r}": c for r, c in named.items()}
        if path in heads:
            siblings = [{"rfilename": name} for name in self._commits[heads[path]]]
            told = {"id": "lab/tiny", "sha": heads[path], "siblings": siblings, "private": False}
            return 200, json.dumps(told).encode(), "application/json"
        for commit, files in self._commits.items():
            if path.startswith(f"{self._api}/tree/{commit}"):
                tree = [
                    {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                    for name, content in files.items()
                ]
                return 200, json.dumps(tree).encode(), "application/json"
            name = path.removeprefix(f"{self._files}/{commit}/")
            if name in files:
                return 200, files[name], "application/octet-stream"
        return 404, b"", "text/plain"


@contextmanager
def serving(hub: SmallHub, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[SmallHub]:
    """The hub, while it is open and the client asks it in place of the real one."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            status, content, kind = hub.answer(self.path.partition("?")[0])
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", next((c for c in (COMMIT, NEXT) if c in self.path), hub.commit))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

    constants = huggingface_hub.constants  # read from HF_ENDPOINT when the library is first imported
    with answering(Handler) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield hub
