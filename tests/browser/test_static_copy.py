"""A static copy in a browser: served by a plain file server below a path, it asks nobody for anything."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from app.store.engine import open_store
from tests.support.seeded import fill
from tests.support.small_server import sharing

BELOW = "papers/star"  # as on a page of a university


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[str]:
    """Where the copy of a small site is served."""
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("www")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        fill(session, prompts=12, passages=150)
    store.engine.dispose()
    out = root / BELOW
    command = [sys.executable, "-m", "app.cli", "export-site", str(out), "--run", "trackstar"]
    subprocess.run(command, check=True, env=os.environ | {"STARTRAIL_HOME": str(home)})
    with sharing(root) as served:
        yield f"{served}/{BELOW}"


@pytest.fixture
def reader(browser: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong on it: requests that leave the copy, answers that fail, scripts that do."""
    page, wrong = browser.new_page(), []
    page.on(
        "request",
        lambda request: None if request.url.startswith(f"{address}/") else wrong.append(request.url),
    )
    page.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page, wrong
    page.close()


def test_a_reader_finds_a_prompt_and_reads_its_passages(reader: tuple[Page, list[str]], address: str) -> None:
    page, wrong = reader
    page.goto(f"{address}/")
    page.fill("#search", "CHINA")
    page.press("#search", "Enter")
    page.wait_for_function("document.getElementById('found')?.textContent.includes('CHINA')")
    page.click("#prompts a")
    page.wait_for_url("**/runs/trackstar/prompts/*china*/")
    assert "China" in page.inner_text("h1")
    page.locator(".meta a[href*='passages/']:visible").first.click()
    page.wait_for_url("**/passages/*/")
    assert len(page.inner_text("blockquote")) > 3
    assert not wrong


def test_old_addresses_still_lead_there(reader: tuple[Page, list[str]], address: str) -> None:
    """A permalink of the site, with the copy's address before it, without the slash at its end."""
    page, wrong = reader
    page.goto(f"{address}/runs/trackstar/prompts/capital-china")
    assert "China" in page.inner_text("h1")
    page.goto(f"{address}/finds")
    assert page.inner_text("h1") == "Finds"
    assert not wrong


def test_a_search_that_finds_nothing_says_so(reader: tuple[Page, list[str]], address: str) -> None:
    page, wrong = reader
    page.goto(f"{address}/prompts/?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E")
    page.wait_for_function("document.getElementById('found')?.textContent.startsWith('0 prompts')")
    assert page.locator("#prompts li, main img").count() == 0
    assert not wrong
