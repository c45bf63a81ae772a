"""Ask in a browser without scripts, and open the permalink somewhere else."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.settings import Settings
from app.store.engine import open_store
from tests.support.asking import made_home, settings_of, worker_of


@pytest.fixture
def answering(tmp_path: Path, serve: Callable[[Settings], AbstractContextManager[str]]) -> Iterator[str]:
    """The address of a site whose questions are answered, by a worker in a thread."""
    shutil.copytree(made_home(), tmp_path / "home")
    settings = settings_of(tmp_path / "home")
    store = open_store(settings.url, migrate=True)
    over = threading.Event()
    with worker_of(settings, store) as worker, serve(settings) as address:

        def work() -> None:
            while not over.wait(0.02):
                worker.step()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield address
        over.set()
        thread.join(10)
    store.engine.dispose()


def test_a_question_is_answered_without_scripts_and_its_permalink_opens_elsewhere(
    browser: Browser, answering: str
) -> None:
    """Type, send, read the proponents; then the same address in a browser that has never been here."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{answering}/trace")
    page.locator("form [name=prompt]").last.fill("The capital of Mali is")
    page.locator("form [name=completion]").last.fill(" Bamako")
    page.locator("main form button").first.click()
    expect(page.locator("section.proponent, .proponent").first).to_be_attached(timeout=30_000)
    address = page.url
    assert "/traces/" in address
    context.close()
    stranger = browser.new_context()
    other = stranger.new_page()
    other.goto(address)
    expect(other.locator("h1")).to_contain_text("Bamako")
    expect(other.locator(".proponent").first).to_be_attached()
    stranger.close()
