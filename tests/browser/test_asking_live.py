"""Ask as a person does, with scripts: the page fills in by itself while a worker process answers."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.settings import Settings
from app.store import workers
from app.store.engine import Store, open_store
from app.web.asking import trace as pages
from tests.support.asking import made_home, settings_of
from tests.support.axe import violations

STAGES = """
  window.seen = [];
  const look = () => {
    const stage = document.querySelector('.stages [aria-current]')?.textContent.trim();
    if (stage && window.seen.at(-1) !== stage) window.seen.push(stage);
  };
  document.addEventListener('DOMContentLoaded', () => {
    look(); new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  });
"""


@dataclass
class Site:
    """A served home with a worker in a process of its own."""

    address: str
    worker: subprocess.Popen[bytes]

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The worker does nothing while the block lasts, as if it were at other people's questions."""
        self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Settings], AbstractContextManager[str]]
) -> Iterator[Site]:
    """As `startrail serve` runs it: the server here, the worker beside it."""
    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(made_home(), home)
    settings = settings_of(home)
    environment = {**os.environ, "STARTRAIL_HOME": str(home), "STARTRAIL_DEVICE": "cpu"}
    environment["STARTRAIL_STEPS_PER_LANE"] = str(settings.steps_per_lane)  # steps are taken when asked for
    environment.pop("STARTRAIL_DATABASE_URL", None)
    said = home / "worker.log"
    with said.open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker", "--threads", "1"],
            env=environment,
            stderr=log,
            cwd=Path(__file__).parents[2],
        )
    store = open_store(settings.url)
    try:
        with serve(settings) as address:
            until(lambda: is_ready(store) or worker.poll() is not None, "the worker to load")
            assert worker.poll() is None, said.read_text()
            yield Site(address, worker)
    finally:
        worker.terminate()
        worker.wait(20)
        store.engine.dispose()


def is_ready(store: Store) -> bool:
    with store.session() as session:
        return any(each.status == "ready" for each in workers.alive(session))


def until(true: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + 180  # torch alone takes a minute from a cold disk
    while not true():
        assert time.monotonic() < ends, f"waited for {what}"
        time.sleep(0.05)


def ask(page: Page, address: str, prompt: str, completion: str = "", **more: str) -> None:
    page.goto(f"{address}/trace")
    page.locator("#prompt").fill(prompt)
    page.locator("#completion").fill(completion)
    for name, value in more.items():
        page.locator(f"form.question [name={name}]").fill(value)
    page.get_by_role("button", name="Trace it").click()
    page.wait_for_url(re.compile("/traces/"))


def answered(page: Page) -> None:
    expect(page.locator(".proponent").first).to_be_attached(timeout=20_000)
    unfold(page)


def unfold(page: Page) -> None:
    """This home's model is so small that what it says can lie within chance: then passages are folded away."""
    for fold in page.locator("details.by-chance:not([open]) > summary").all():
        fold.click()


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
    expect(page.locator(".samples li").first).to_be_visible()


def test_a_question_can_be_taken_back(page: Page, asked: Site) -> None:
    """Before a worker has it; and nobody answers it afterwards."""
    with asked.busy():
        ask(page, asked.address, "The oldest bridge of Chile is", " long")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("This question was cancelled.")).to_be_visible()
    ask(page, asked.address, "The oldest bridge of Peru is", " long")
    answered(page)
    page.go_back()
    page.go_back()
    expect(page.get_by_text("This question was cancelled.")).to_be_visible()
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


def test_some_tokens_of_the_answer_can_be_explained_alone(page: Page, asked: Site) -> None:
    """Choose a token, ask: a new trace whose target is marked, with passages of its own."""
    ask(page, asked.address, "The flag of Mali shows", " green and gold and red")
    answered(page)
    whole, scores = page.url, page.locator(".proponent .rankbox .num").all_text_contents()
    tokens = page.locator(".token")
    assert tokens.count() > 2
    chosen = tokens.nth(1).locator(".piece").inner_text()
    if not tokens.nth(1).locator("input").is_checked():  # what is explained now is chosen at first
        tokens.nth(1).click()
    for box in page.locator(".token input").all():
        if box.is_checked() and box.get_attribute("value") != "1":
            box.uncheck(force=True)
    page.get_by_role("button", name="Explain the chosen tokens").click()
    page.wait_for_url(lambda url: "/traces/" in url and url.split("?")[0] != whole)
    answered(page)
    expect(page.locator("h1 mark.target")).to_have_text(chosen.strip())
    expect(page.locator(".token input:checked")).to_have_count(1)
    assert page.locator(".proponent .rankbox .num").all_text_contents() != scores


def test_why_this_rather_than_that(page: Page, asked: Site) -> None:
    """Passages of the difference, then those of either answer side by side."""
    ask(page, asked.address, "The currency of Ghana is the", " cedi")
    answered(page)
    page.locator("#contrast").fill("dollar")
    page.get_by_role("button", name="Ask why").click()
    expect(page.locator("h1 .rather")).to_be_visible(timeout=20_000)
    answered(page)
    expect(page.locator("h1")).to_contain_text("rather than dollar")
    page.get_by_role("navigation", name="Method").get_by_role("link", name="Side by side").click()
    sides = page.locator(".columns > section")
    expect(sides.locator("h2")).to_have_text(["For “cedi”", "For “dollar”"])
    for side in sides.all():
        expect(side.locator(".proponent")).to_have_count(10)


def test_one_training_step_shows_what_each_passage_does(page: Page, asked: Site) -> None:
    """On one passage, then on all; beside random ones, with the settings said; without loading the page again."""
    ask(page, asked.address, "The capital of Chad is", " old")
    answered(page)
    page.evaluate("window.sameDocument = true")
    page.locator(".proponent").first.get_by_role("button", name="Train one step").click()
    expect(page.locator(".proponent").first.locator(".stepped")).to_contain_text("→", timeout=20_000)
    page.get_by_role("button", name="Train one step on each passage").click()
    expect(page.locator(".proponent .stepped")).to_have_count(10, timeout=20_000)
    expect(page.locator(".verdict")).to_contain_text("Ten random passages move it")
    expect(page.locator("#causes")).to_contain_text("learning rate")
    assert page.evaluate("window.sameDocument")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_and_the_wait_for_it_are_open_to_everybody(
    browser: Browser, asked: Site, scheme: str
) -> None:
    """axe finds nothing in either, nor in what a training step adds, and nothing is wider than a small phone."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 720})  # type: ignore[arg-type]
    page = context.new_page()
    with asked.busy():
        ask(page, asked.address, "The capital of Togo is", f" {scheme}")
        expect(page.locator(".stages [aria-current]")).to_have_text("Waiting, next")
        assert violations(page) == []
    answered(page)
    page.locator(".proponent").first.get_by_role("button", name="Train one step").click()
    expect(page.locator(".proponent").first.locator(".stepped")).to_contain_text("→", timeout=20_000)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


def test_other_methods_answer_beside_it(page: Page, asked: Site) -> None:
    """Word overlap, word for word, all at once; Back returns to the view before."""
    ask(page, asked.address, "The capital of Mali is", " Bamako, as everybody knows")
    answered(page)
    views = page.get_by_role("navigation", name="Method")
    views.get_by_role("link", name="BM25").click()
    expect(views.locator("[aria-current]")).to_contain_text("BM25")
    answered(page)
    page.go_back()
    expect(views.locator("[aria-current]")).to_contain_text("TrackStar")


def test_the_keyboard_alone_is_enough(page: Page, asked: Site) -> None:
    """From the empty form to a trained passage without touching a mouse."""
    page.goto(f"{asked.address}/trace")

    def tab_to(what: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", what):
                return
        raise AssertionError(f"{what} cannot be reached with Tab")

    tab_to("#prompt")
    page.keyboard.type("The river of Togo is")
    tab_to("#completion")
    page.keyboard.type(" long")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/traces/"))
    answered(page)
    tab_to(".token input")
    before = page.locator(".token input").first.is_checked()
    page.keyboard.press("Space")
    assert page.locator(".token input").first.is_checked() != before
    tab_to(".proponent button")
    page.keyboard.press("Enter")
    expect(page.locator(".proponent .stepped").first).to_be_visible(timeout=20_000)
    focused = page.evaluate("document.activeElement !== document.body")
    assert focused, "the focus is not lost when the passage's line changes"
