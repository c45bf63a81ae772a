"""The whole application in process, over stores filled once per run: for tests that only read pages."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.main import create_app
from app.settings import Settings
from app.store.engine import Store
from tests.support.nginx import behind_tls

NGINX_HOST = os.environ.get("STARTRAIL_TEST_NGINX")  # `make test-nginx`: with-port or without-port


def site(url: str, home: Path, **settings: Any) -> TestClient:
    """A client of the site over the database at `url`; errors of the site are answers, not exceptions."""
    given = Settings(home=home, database_url=url, _env_file=None, **settings)
    return TestClient(create_app(given), raise_server_exceptions=False)


def store_of(client: TestClient) -> Store:
    """The store behind a site. `TestClient.app` is typed as any ASGI application, which has no state."""
    store: Store = client.app.state.store  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
    return store


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The SQL statements run while the block lasts."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The site as `startrail serve` runs it, in a thread of its own, at a free port."""
    config = uvicorn.Config(
        create_app(settings),
        port=0,
        log_level="error",
        proxy_headers=False,
        timeout_graceful_shutdown=1,  # a page that follows a stream may still be open
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with behind_tls(address, NGINX_HOST) if NGINX_HOST else nullcontext(address) as seen:
            yield seen
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive(), "the site did not stop"
