"""A small HTTP server of a test's own: files to fetch, a copy of a site, a page of another origin."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Quiet(BaseHTTPRequestHandler):
    """Says nothing of what it answers."""

    def log_message(self, *_: object) -> None:
        """Silent."""


class Files(Quiet, SimpleHTTPRequestHandler):
    """A folder, as Python's own file server gives it."""


@contextmanager
def answering(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The server's address, while the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def sharing(folder: Path) -> AbstractContextManager[str]:
    """The same, of the files of a folder."""
    return answering(partial(Files, directory=str(folder)))
