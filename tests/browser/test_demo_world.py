"""The demo world as `startrail demo` builds it, read in Chromium: every number on a page is counted again elsewhere."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from typer.testing import CliRunner

from app.cli.main import app
from app.settings import Settings, get_settings
from app.store.engine import open_store
from tests.support.asking import worker_of
from tests.support.axe import Scheme, violations
from tests.support.world import build_small

TASKS = {
    "facts": "fact",
    "commonsense": "commonsense",
    "arithmetic": "arithmetic",
    "open-ended": "open_ended",
}
PRESETS: dict[str, Callable[[dict[str, str]], bool]] = {
    "Correct": lambda row: row["correct"] == "true",
    "Correct and confident": lambda row: row["correct"] == "true" and float(row["confidence"]) > 0.5,
    "Confident": lambda row: float(row["confidence"]) > 0.5,
}


@dataclass
class Demo:
    """The served demo world, and what its prompts were before anything was computed of them."""

    address: str
    settings: Settings
    prompts: list[dict]

    def rows(self, page: Page, query: str = "run=trackstar") -> list[dict[str, str]]:
        """The list of prompts as the site exports it."""
        return list(
            csv.DictReader(io.StringIO(page.request.get(f"{self.address}/prompts.csv?{query}").text()))
        )


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, serve: Callable[[Settings], AbstractContextManager[str]]
) -> Iterator[Demo]:
    """The demo's model, a sample of its prompts and passages, its two runs, and their evaluation."""
    home = tmp_path_factory.mktemp("demo") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARTRAIL_HOME", str(home))
        patch.delenv("STARTRAIL_DATABASE_URL", raising=False)
        get_settings.cache_clear()
        settings = build_small(home)
        done = CliRunner().invoke(app, ["evaluate", "--tail-patch", "3"])
        assert done.exit_code == 0, done.output
    get_settings.cache_clear()
    lines = (home / "source" / "prompts.jsonl").read_text().splitlines()
    with serve(settings) as address:
        yield Demo(address, settings, [json.loads(line) for line in lines])


def shown(page: Page) -> int:
    """How many prompts the sentence above the list counts."""
    found = re.match(r"[\d,]+", page.locator(".sentence").inner_text())
    assert found is not None
    return int(found[0].replace(",", ""))


def test_the_front_page_leads_into_every_task(plain_page: Page, demo: Demo) -> None:
    """The counts are those of the prompts' file; each task opens a list, each list a prompt with its passages."""
    page = plain_page
    for name, task in TASKS.items():
        page.goto(demo.address)
        tile = page.locator(".tasks a", has_text=name)
        wanted = sum(prompt["task"] == task for prompt in demo.prompts)
        assert int(tile.locator("b").inner_text()) == wanted
        tile.click()
        assert shown(page) == wanted
        page.locator(".list-column .prompt-list a").first.click()
        read = " ".join(page.locator("#prompt").inner_text().split())  # the prompt, then what was said
        assert any(read.startswith(" ".join(each["prompt"].split())) for each in demo.prompts)
        expect(page.locator("section.proponent").first).to_be_visible()


def test_every_facet_of_the_demo_shows_as_many_as_it_counts(plain_page: Page, demo: Demo) -> None:
    page = plain_page
    page.goto(f"{demo.address}/prompts")
    names = page.locator(".facets section h2").all_inner_texts()
    assert {"Task", "Relation", "Stated in the corpus", "Model’s answer", "Confidence"} <= set(names)
    for name in names:
        page.goto(f"{demo.address}/prompts")
        choice = page.locator(".facets section", has=page.get_by_role("heading", name=name)).locator("li > a")
        promised = int(choice.first.locator(".num").inner_text())
        choice.first.click()
        assert shown(page) == promised, name
    page.get_by_role("navigation", name="Run").get_by_role("link", name="BM25").click()
    expect(page.locator(".sentence")).to_contain_text("in BM25")


def test_ready_made_filters_and_expressions_keep_what_they_say(plain_page: Page, demo: Demo) -> None:
    page = plain_page
    rows = demo.rows(page)
    assert len(rows) == len(demo.prompts)
    for name, keeps in PRESETS.items():
        page.goto(f"{demo.address}/prompts?run=trackstar")
        page.locator(".presets-line").get_by_role("link", name=name, exact=True).click()
        assert shown(page) == sum(map(keeps, rows)), name
    page.goto(f"{demo.address}/prompts?run=trackstar")
    page.get_by_role("combobox", name="Expression").fill('task = "fact" and not (frequency > 4)')
    page.get_by_label("Order").select_option("rare")
    page.get_by_role("button", name="Show", exact=True).click()
    wanted = [row for row in rows if row["task"] == "fact" and int(row["frequency"]) <= 4]
    assert shown(page) == len(wanted)


def test_words_of_a_passage_lead_to_it_and_to_what_it_was_found_for(plain_page: Page, demo: Demo) -> None:
    """Searched from any page; the passage names its prompts, and each of them has it at the rank it says."""
    page = plain_page
    page.goto(f"{demo.address}/about")
    target = next(each["target"] for each in demo.prompts if each["task"] == "fact")
    page.locator("#search").fill(target)
    page.locator("#search").press("Enter")
    page.wait_for_load_state("domcontentloaded")
    assert target.lower() in {mark.lower() for mark in page.locator(".found mark").all_inner_texts()}
    page.goto(f"{demo.address}/runs/trackstar")
    page.get_by_text("Passages found for most prompts").click()
    page.locator(".passage-list a").first.click()
    text = page.locator("blockquote").inner_text()
    row = page.locator("#list tbody tr", has_text="TrackStar").first
    rank = row.locator("td").first.inner_text().split()[0]
    row.get_by_role("link").click()
    assert page.locator(f"#p{rank} .passage").first.inner_text() == text


def test_an_output_of_the_demo_is_read_in_every_view(page: Page, demo: Demo) -> None:
    """Type and training step on the cards, the other side, the words marked, and never another word than before."""
    stated_first = "correct+and+first_correct_rank+%3D+1"  # so that there are words to mark
    page.goto(f"{demo.address}/prompts?run=trackstar&task=fact&where={stated_first}")
    page.locator(".list-column .prompt-list a").first.click()
    cards = page.locator("section.proponent")
    for at in range(3):
        expect(cards.nth(at).locator(".kind")).not_to_be_empty()
        expect(cards.nth(at).locator(".stepped")).to_contain_text(re.compile(r"→ [\d.]+ %"))
    expect(page.locator(".verdict")).to_contain_text("One training step on each of ten traced passages")
    expect(page.locator(".lanes .lane-for circle")).to_have_count(10)
    expect(page.locator(".samples summary")).to_contain_text("×")
    texts = cards.locator(".passage").all_text_contents()
    for view in ("Verbatim", "Plain", "Names"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("link", name=view, exact=True)).to_have_attribute("aria-current", "true")
        assert cards.locator(".passage").all_text_contents() == texts
    target = page.locator("#prompt mark.target").inner_text()
    marked = page.locator(".proponent mark.target").all_text_contents()
    assert {each.lower() for each in marked} == {target.lower()}
    page.locator("#prompt mark.target").click()
    expect(page.locator(".proponent mark.picked").first).to_have_text(target)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_influence_of_each_word_is_shaded_once_the_worker_has_split_it(
    browser: Browser, demo: Demo, scheme: Scheme
) -> None:
    """Asked by a button, with its scale; open to everybody, and readable in the darkest shade."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{demo.address}/prompts?run=trackstar&task=fact&sort=score")
    page.locator(".list-column .prompt-list a").nth(["light", "dark"].index(scheme)).click()
    page.wait_for_load_state("domcontentloaded")
    texts = page.locator(".proponent .passage").all_text_contents()
    page.get_by_role("link", name="Word by word").click()
    page.get_by_role("button", name="Compute the influence of each word").click()
    expect(page.get_by_role("status").filter(has_text="splits the influence")).to_be_visible()
    store = open_store(demo.settings.url)
    with worker_of(demo.settings, store) as worker:
        assert worker.step() == 1
    store.engine.dispose()
    shades = page.locator(".proponent mark[class*=for-]")
    page.reload()  # it renews itself for people; a browser without a head is taken for a crawler
    expect(shades.first).to_be_visible(timeout=10_000)
    assert page.locator(".proponent .passage").all_text_contents() == texts
    expect(page.locator(".legend")).to_contain_text("what each word carries")
    assert violations(page) == []
    page.set_viewport_size({"width": 320, "height": 720})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


def test_both_runs_of_the_demo_are_compared_from_the_most_different_prompt(
    plain_page: Page, demo: Demo
) -> None:
    page = plain_page
    page.goto(f"{demo.address}/compare")
    page.get_by_role("link", name="BM25").click()
    page.wait_for_load_state("domcontentloaded")
    shares = page.locator(".differ td[data-label=Shared]").all_inner_texts()
    counts = [int(each.split()[0]) for each in shares]
    assert counts == sorted(counts)
    page.locator(".differ .prompt a").first.click()
    page.wait_for_load_state("domcontentloaded")
    lists = [side.locator(".meta a[href*='/passages/']") for side in page.locator(".side").all()]
    found = [{link.get_attribute("href") for link in links.all()} for links in lists]
    assert len(found) == 2
    assert len(found[0] & found[1]) == counts[0]
    assert page.locator(".short li.only").count() <= sum(map(len, found)) - 2 * counts[0]


def test_what_the_demo_shows_is_cited_saved_and_evaluated(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}/prompts?run=bm25&task=fact&where=correct&sort=probability")
    lines = [" ".join(each.split()) for each in page.locator(".list-column .line").all_inner_texts()]
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [f"{row['prompt']} {row['target']}" for row in rows] == lines
    page.locator(".list-column .prompt-list a").first.click()
    example = page.url.partition("?")[0]
    page.get_by_role("link", name="Cite").click()
    expect(page.locator("pre").first).to_contain_text(example)
    picture = page.request.get(f"{example}/card.png")
    assert picture.headers["content-type"] == "image/png"
    page.goto(f"{demo.address}/evaluation")
    table = page.locator("table.metrics").first
    expect(table.locator("tbody tr")).to_have_count(2)
    number = table.locator("tr", has_text="TrackStar").locator("td a").first
    said = number.inner_text()
    number.click()
    expect(page.locator(".lead b")).to_have_text(said)
