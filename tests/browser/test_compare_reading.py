"""Comparing runs in the browser, with and without scripts, wide and narrow."""

import re

from playwright.sync_api import Page, expect


def test_from_a_prompt_to_three_runs_side_by_side(page: Page, live: str) -> None:
    """A reader opens a prompt, compares, adds a run, follows a passage to its place in another column."""
    page.goto(f"{live}/prompts?run=trackstar")
    page.locator(".list-column a[href*='/prompts/']").first.click()
    page.get_by_role("link", name="Compare methods").click()
    expect(page.locator(".side")).to_have_count(2)
    page.get_by_text("Compare with another run").click()
    page.locator(".more-runs a").first.click()
    expect(page.locator(".side")).to_have_count(3)
    elsewhere = page.locator(".short .meta a[href^='#']").first
    target = elsewhere.get_attribute("href") or ""
    elsewhere.click()
    expect(page).to_have_url(re.compile(f"{target}$"))
    expect(page.locator(target)).to_be_in_viewport()
    page.go_back()
    page.go_back()
    expect(page.locator(".side")).to_have_count(2)


def test_a_click_on_the_target_marks_it_in_every_column(page: Page, live: str) -> None:
    """As in the paper's viewer, and in all passages of all runs at once."""
    page.goto(f"{live}/compare?runs=trackstar,bm25")
    page.locator(".differ .prompt a").last.click()
    page.locator("#prompt mark.target").click()
    target = page.locator("#prompt mark.target").inner_text()
    for side in page.locator(".side").all():
        assert side.locator("mark.picked").all_inner_texts()[0].lower() == target.lower()
    box = page.locator("#prompt").bounding_box()
    assert box is not None
    page.locator("#prompt").click(
        position={"x": box["width"] - 3, "y": box["height"] - 3}
    )  # beside the words
    expect(page.locator("mark.picked")).to_have_count(0)


def test_choosing_two_runs_works_without_scripts(plain_page: Page, live: str) -> None:
    plain_page.goto(f"{live}/compare")
    first, second = plain_page.locator("select[name=runs]").all()
    first.select_option("trackstar")
    second.select_option("dense")
    plain_page.get_by_role("button", name="Compare").click()
    expect(plain_page).to_have_url(f"{live}/compare?runs=trackstar,dense")
    plain_page.locator(".differ .prompt a").first.click()
    expect(plain_page.locator(".side")).to_have_count(2)


def test_a_phone_shows_all_without_sideways_scroll(phone: Page, live: str) -> None:
    phone.goto(f"{live}/compare?runs=trackstar,bm25")
    first = phone.locator(".differ .prompt a").first.get_attribute("href") or ""
    for address in ("/compare", "/compare?runs=trackstar,bm25", first, f"{first},dense", "/upload"):
        phone.goto(live + address)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 320, address


def test_four_runs_stand_side_by_side_and_no_fifth(plain_page: Page, judged: str) -> None:
    """What each passage is in the three others is true of their lists; taking one out leaves the rest as they were."""
    page = plain_page
    page.goto(f"{judged}/compare?runs=trackstar,bm25")
    page.locator(".differ .prompt a").first.click()
    for wanted in (3, 4):
        page.get_by_text("Compare with another run").click()
        page.locator(".more-runs a").first.click()
        expect(page.locator(".side")).to_have_count(wanted)
    expect(page.locator(".more-runs")).to_have_count(0)
    sides = page.locator(".side")
    found = [side.locator(".meta a[href*='/passages/']").all() for side in sides.all()]
    lists = [[link.get_attribute("href") for link in links] for links in found]
    for at, own in enumerate(lists):
        only = sides.nth(at).locator("li.only .meta a[href*='/passages/']").all()
        others = {passage for other in lists[:at] + lists[at + 1 :] for passage in other}
        assert {link.get_attribute("href") for link in only} <= set(own) - others
    shared = sides.nth(3).locator(".short li", has=page.locator(".meta a[href^='#A']")).first
    rank = int((shared.locator(".meta a[href^='#A']").get_attribute("href") or "").removeprefix("#A"))
    assert shared.locator(".meta a[href*='/passages/']").get_attribute("href") == lists[0][rank - 1]
    page.locator(".chosen").get_by_role("link", name=re.compile("^Take .* out$")).last.click()
    expect(page.locator(".side")).to_have_count(3)
