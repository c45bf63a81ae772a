"""Waiting for an answer as a person does, with scripts: the page fills in by itself while a worker process answers."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.settings import Settings
from app.store import workers
from app.store.engine import open_store
from app.web.asking import trace as pages
from tests.support.asking import made_home, settings_of
from tests.support.axe import Scheme, violations
from tests.support.live_site import Site, answered, ask

STAGES = """
  window.seen = [];
  const look = () => {
    const stage = document.querySelector('.stages [aria-current]')?.textContent.trim().replace(/\\s+/g, ' ');
    if (stage && window.seen.at(-1) !== stage) window.seen.push(stage);
  };
  document.addEventListener('DOMContentLoaded', () => {
    look(); new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  });
"""


def test_the_stages_pass_before_the_reader_and_the_passages_follow(page: Page, asked: Site) -> None:
    """Waiting, then what the worker does, then the passages: all in one page that is never loaded again."""
    page.add_init_script(STAGES)
    with asked.busy():
        ask(page, asked.address, "The largest river of Ghana is", samples="20")
        expect(page.locator(".stages [aria-current]")).to_have_text("Waiting, next")
        page.evaluate("window.sameDocument = true")
    answered(page)
    assert page.evaluate("window.sameDocument"), "the answer came over the stream"
    seen = page.evaluate("window.seen")
    assert seen[0] == "Waiting, next"
    assert "Completing the prompt" in seen, "sampling takes long enough to be seen"
    order = [
        "Waiting, next",
        "Waiting",
        "Completing the prompt",
        "Encoding its gradient",
        "Searching the corpus",
    ]
    assert [stage for stage in order if stage in seen] == seen, "no stage comes twice or before its time"
    expect(page.locator(".proponent")).to_have_count(10)
    page.locator(".samples summary").click()
    expect(page.locator(".samples li").first).to_be_visible()


def test_a_question_can_be_taken_back(page: Page, asked: Site) -> None:
    """Before a worker has it; and nobody answers it afterwards."""
    with asked.busy():
        ask(page, asked.address, "The oldest bridge of Chile is", " long")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("p:visible", has_text="This question was cancelled.")).to_be_visible()
    ask(page, asked.address, "The oldest bridge of Peru is", " long")
    answered(page)
    page.go_back()
    page.go_back()
    expect(page.locator("p:visible", has_text="This question was cancelled.")).to_be_visible()
    page.get_by_role("link", name="Ask again", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("The oldest bridge of Chile is")


def test_a_reload_in_the_middle_goes_on_where_it_was(page: Page, asked: Site) -> None:
    """The question belongs to its address, not to the tab that asked it."""
    with asked.busy():
        ask(page, asked.address, "The tallest tower of Kenya is", " old")
        address = page.url
        page.reload()
        expect(page.locator(".stages [aria-current]")).to_have_text("Waiting, next")
    answered(page)
    assert page.url == address


def test_whoever_waits_is_told_when_a_worker_comes(
    page: Page,
    tmp_path: Path,
    serve: Callable[[Settings], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that loads or dies changes nothing about a trace: the stream looks from time to time all the same."""
    monkeypatch.setattr(pages, "BEAT_SECONDS", 0.1)
    shutil.copytree(made_home(), tmp_path / "home")
    settings = settings_of(tmp_path / "home")
    store = open_store(settings.url)
    with serve(settings) as address:
        ask(page, address, "The largest lake of Chad is", " old")
        page.evaluate("window.sameDocument = true")
        expect(page.get_by_text("No tracing worker is ready.")).to_be_visible()
        with store.session() as session:
            workers.record_heartbeat(
                session, workers.new_name(), device="cpu", status="ready", detail="", loaded={}
            )
        expect(page.get_by_text("No tracing worker is ready.")).to_have_count(0)
        expect(page.locator(".stages [aria-current]")).to_have_text("Waiting, next")
        assert page.evaluate("window.sameDocument")
        page.goto("about:blank")
    store.engine.dispose()


def test_the_permalink_shows_the_same_in_another_browser(page: Page, browser: Browser, asked: Site) -> None:
    ask(page, asked.address, "The anthem of Norway is", " old and long")
    answered(page)
    stranger = browser.new_context()
    other = stranger.new_page()
    other.goto(page.url)
    assert (
        other.locator(".proponent .passage").all_text_contents()
        == page.locator(".proponent .passage").all_text_contents()
    )
    expect(other.locator("h1")).to_contain_text("old and long")
    stranger.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_and_the_wait_for_it_are_open_to_everybody(
    browser: Browser, asked: Site, scheme: Scheme
) -> None:
    """axe finds nothing in either, nor in what a training step adds, and nothing is wider than a small phone."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 720})
    page = context.new_page()
    with asked.busy():
        ask(page, asked.address, "The capital of Togo is", f" {scheme}")
        expect(page.locator(".stages [aria-current]")).to_have_text("Waiting, next")
        assert violations(page) == []
    answered(page)
    page.locator(".proponent").first.get_by_role("button", name="Train one step").click()
    expect(page.locator(".proponent").first.locator(".stepped")).to_contain_text(
        "One training step", timeout=20_000
    )
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()
