"""The methods in a browser: found from the evaluation, one colour a method, in light and dark, on a phone too."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from app.words.methods import METHODS
from tests.support.axe import violations


def colour_of(page: Page, css: str) -> str:
    """What the browser makes of the custom property where the class is set."""
    return page.locator(f".{css}").first.evaluate("e => getComputedStyle(e, '::before').backgroundColor")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_the_evaluation_to_a_method_and_its_runs_in_one_colour(
    browser: Browser, judged: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{judged}/evaluation")
    css = METHODS["gradient-cosine"].css
    wanted = METHODS["gradient-cosine"].colour[scheme == "dark"]
    red, green, blue = (int(wanted[at : at + 2], 16) for at in (1, 3, 5))
    assert colour_of(page, css) == f"rgb({red}, {green}, {blue})"
    drawn = page.locator(f".chart path.line.{css}").first
    assert drawn.evaluate("e => getComputedStyle(e).stroke") == f"rgb({red}, {green}, {blue})"
    page.get_by_role("link", name="What each method is").click()
    expect(page.locator("h1")).to_have_text("Methods")
    assert colour_of(page, css) == f"rgb({red}, {green}, {blue})"
    assert not violations(page)
    row = page.locator("tr#gradient-cosine")
    count = int(row.locator("td").last.inner_text())
    row.locator("a[href*='/runs']").click()
    expect(page).to_have_url(re.compile(r"/runs\?method=gradient-cosine$"))
    expect(page.locator("tbody tr")).to_have_count(count)
    assert colour_of(page, css) == f"rgb({red}, {green}, {blue})"
    context.close()


def test_the_table_fits_a_phone(phone: Page, live: str) -> None:
    phone.goto(f"{live}/methods")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(phone.locator("tr#bm25")).to_contain_text("Ranks passages by the words they share")


def test_the_about_page_leads_there(page: Page, live: str) -> None:
    page.goto(f"{live}/about")
    page.get_by_role("link", name="All methods").click()
    expect(page.locator("tbody tr").first).to_contain_text("BM25")
