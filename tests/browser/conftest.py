"""The site in a real browser: Chromium against a server of its own, over a store filled once."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from app.settings import Settings
from tests.support import evaluated
from tests.support.databases import filled_file
from tests.support.paper import load
from tests.support.sites import NGINX_HOST, serving

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PHONE: ViewportSize = {"width": 320, "height": 720}


@pytest.fixture(scope="session")
def serve() -> Callable[[Settings], AbstractContextManager[str]]:
    """`serving`, for tests with a home of their own."""
    return serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run."""
    if NGINX_HOST:  # its certificate is nobody's, and requests beside pages are the driver's, which is Node
        os.environ["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--ignore-certificate-errors"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, filled_sqlite: Path) -> Iterator[str]:
    """The address of the filled site; tests only read it."""
    home = tmp_path_factory.mktemp("filled")
    shutil.copy(filled_sqlite, home / "startrail.db")
    with serving(Settings(home=home, _env_file=None)) as address:
        yield address


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[str]:
    """The address of a site with two imported results files in the paper's format; tests only read it."""
    home = tmp_path_factory.mktemp("paper")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    load(f"sqlite:///{home / 'startrail.db'}", home)
    with serving(Settings(home=home, _env_file=None)) as address:
        yield address


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[str]:
    """The address of a site with a dozen evaluated runs, so that every chart is drawn."""
    home = tmp_path_factory.mktemp("judged")
    shutil.copy(filled_file("evaluated", migrated_sqlite, evaluated.fill), home / "startrail.db")
    with serving(Settings(home=home, _env_file=None)) as address:
        yield address


@pytest.fixture
def own_live(filled_sqlite: Path, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A site of the test's own, to change: call it with settings for its address."""
    shutil.copy(filled_sqlite, tmp_path / "startrail.db")
    opened = []

    def start(**settings: Any) -> str:
        site = serving(Settings(home=tmp_path, _env_file=None, **settings))
        opened.append(site)
        return site.__enter__()

    yield start
    for site in opened:
        site.__exit__(None, None, None)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test on any script error or refused resource."""
    made = context.new_page()
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    yield made
    expected = [t for t in troubles if "status of 4" in t]
    assert troubles == expected


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """A page without JavaScript."""
    made = browser.new_context(java_script_enabled=False)
    yield made.new_page()
    made.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A narrow page."""
    made = browser.new_context(viewport=PHONE)
    yield made.new_page()
    made.close()
