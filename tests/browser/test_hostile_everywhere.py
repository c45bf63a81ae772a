"""Hostile texts in every field, over every page there is: no script of theirs runs, nothing is fetched from elsewhere."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from app.main import create_app
from app.runs.taking_down import remove
from app.settings import Settings
from app.store import audit, tokens
from app.store.engine import open_store
from app.store.showing import show
from tests.support.hostile import SHORT
from tests.support.hostile_home import addresses, fill_hostile_home
from tests.support.routes import page_of, routes
from tests.support.seeded import SCRIPT

FRAMED = ("/", "/runs/{slug}/prompts/{prompt}", "/traces/{trace_id}")  # what other sites may frame
SIGNED_IN = (
    "/",
    "/prompts",
    "/trace",
    "/upload",
    "/status",
    "/admin",
    "/readyz",
)  # what says who is there, or more to them
NO_PAGES = {"/traces/{trace_id}/events", "/metrics", "/healthz", "/livez", "/oembed", "/random", "/go"}
WATCH = """window.violated = [];
document.addEventListener('securitypolicyviolation', event => violated.push(event.violatedDirective + ' ' + event.blockedURI));"""


class Watched:
    """A page, and what it did that no page of ours does."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address, self.wrong = page, address, list[str]()
        page.add_init_script(WATCH)
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))

    def _asked(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.wrong.append(f"{self.page.url} asked {url}")

    def sign_in(self, token: str) -> int:
        """The form's answer."""
        self.visit("/sign-in")
        self.page.locator("input[name=token]").fill(token)
        with self.page.expect_navigation() as arrived:
            self.page.locator("form:has(input[name=token]) button").click()
        return arrived.value.status

    def visit(self, path: str) -> int:
        """The status; whatever is wrong there is noted."""
        answer = self.page.goto(self.address + path, wait_until="load")
        assert answer is not None
        if self.page.evaluate("window.owned") is not None:
            self.wrong.append(f"{path}: a script ran")
        self.wrong += [f"{path}: {each}" for each in self.page.evaluate("window.violated")]
        return answer.status


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> tuple[Settings, dict[str, list[str]]]:
    values = fill_hostile_home(tmp_path, migrated_sqlite)
    return Settings(home=tmp_path, _env_file=None), values


@pytest.fixture
def watched(
    browser: Browser,
    home: tuple[Settings, dict[str, list[str]]],
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> Iterator[Watched]:
    context = browser.new_context()
    with serve(home[0]) as address:
        yield Watched(context.new_page(), address)
        context.close()


def pages(settings: Settings, values: dict[str, list[str]]) -> Iterator[str]:
    """Each page once in each of its views, with the first of each parameter's values."""
    first = {name: found[:1] for name, found in values.items()}
    for _, path in routes(create_app(settings), "GET"):
        if page_of(path) == path and "." not in path.rpartition("/")[2] and path not in NO_PAGES:
            yield from addresses(path, {**values, **first})
            if path in FRAMED:
                yield next(addresses(path, {**values, **first})) + "?embed=1"


@pytest.mark.slow
def test_no_text_of_anybodys_does_anything_on_any_page(
    watched: Watched, home: tuple[Settings, dict[str, list[str]]]
) -> None:
    settings, values = home
    walked = list(pages(settings, values))
    found = {path: watched.visit(path) for path in walked}
    assert len(walked) > 40
    assert set(found.values()) <= {200, 401, 404, 503}, found
    asked = "%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E"
    odd = {
        path: watched.visit(f"{path}?q={asked}&run={asked}&next={asked}")
        for path in ("/prompts", "/sign-in", "/trace")
    }
    assert max(odd.values()) < 500, odd
    assert watched.visit(f"/runs/{asked}") == 404
    store = open_store(settings.url)
    gone = remove(store, settings, "trace", values["trace_id"][0], f"It said {SCRIPT}")
    store.engine.dispose()
    assert watched.visit(gone) == 410
    with closing(sqlite3.connect(settings.home / "startrail.db")) as broken:
        broken.execute("ALTER TABLE runs RENAME TO somewhere")
    assert watched.visit(f"/prompts?run={asked}") == 500
    assert not watched.wrong


@pytest.mark.slow
def test_nor_where_readers_sign_in(
    browser: Browser,
    home: tuple[Settings, dict[str, list[str]]],
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> None:
    """Names of tokens and of things that were shown, and what the log of changes says, are texts of somebody's too."""
    settings, values = home
    store = open_store(settings.url)
    with store.session() as session:
        token = tokens.add(session, SCRIPT, ["admin"], expires_at=None)
        tokens.add(session, f"</td>{SHORT[3][1]}", ["ask"], expires_at=None)
        for run in values["run"]:
            show(session, "run", run, "unlisted")
        audit.record(session, SCRIPT, f"</li>{SCRIPT}", **{SCRIPT: SCRIPT})
    store.engine.dispose()
    for access in ("private", "read"):
        with serve(settings.model_copy(update={"access": access})) as address:
            watched = Watched(browser.new_context().new_page(), address)
            found = {
                path: watched.visit(path)
                for path in (*SIGNED_IN, f"/runs/{SCRIPT}", f"/sign-in?next={SCRIPT}")
            }
            assert watched.sign_in(SCRIPT) == 401
            assert watched.sign_in(token) == 200
            assert {watched.visit(path) for path in SIGNED_IN} <= {200, 503}
            assert watched.visit("/admin") == 200
            assert SCRIPT in watched.page.locator("main").inner_text()
            watched.page.context.close()
        assert set(found.values()) <= {200, 401, 403, 404, 503}, found
        assert not watched.wrong
