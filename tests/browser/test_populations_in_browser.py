"""A figure says what it is over, and is the same on the page that lists it: with JavaScript and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def reader(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with JavaScript, and one without."""
    context = browser.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("run", ["TrackStar", "BM25"])
def test_the_figures_of_a_run_are_those_of_the_prompts_they_are_over(
    reader: Page, live: str, run: str
) -> None:
    """The list of runs once mixed four tasks where the evaluation meant facts, and neither said so."""
    reader.goto(f"{live}/runs")
    row = reader.locator("tbody tr", has_text=run).first
    mrr, recall, over = (
        row.locator(f"[data-label='{name}']").inner_text() for name in ("MRR", "recall@10", "over")
    )
    assert over == "20 facts"
    expect(
        reader.get_by_text("prompts whose answer some passage is known to state: facts alone")
    ).to_be_visible()
    reader.goto(f"{live}/prompts?run={run.lower()}&task=fact")
    panel = re.sub(r"\s+", " ", reader.locator("main").inner_text())
    told = re.escape(f"MRR {mrr}, recall@10 {recall}") + r", precision@10 \d\.\d+ over the "
    assert re.search(f"{told}{over.split()[0]} prompts", panel)


def test_a_filtered_list_says_how_many_its_figures_are_over(reader: Page, live: str) -> None:
    reader.goto(f"{live}/prompts?run=trackstar&task=fact&where=correct")
    expect(reader.locator(".sentence")).to_contain_text("14 facts")
    panel = re.sub(r"\s+", " ", reader.locator("main").inner_text())
    assert "answered right 100 % of 14 prompts" in panel
    assert "over the 14 prompts whose answer a passage is known to state" in panel
