"""Asking on from an answer, with scripts: a part of it, why this and not that, one training step."""

import re

from playwright.sync_api import Page, expect

from tests.support.live_site import Site, answered, ask


def test_some_tokens_of_the_answer_can_be_explained_alone(page: Page, asked: Site) -> None:
    """Drag over two words, ask: a new trace whose target is marked, with passages of its own."""
    ask(page, asked.address, "The flag of Mali shows", " green and gold and red")
    answered(page)
    whole, scores = page.url, page.locator(".proponent .meta > a:not(.rank-link)").all_text_contents()
    tokens = page.locator(".token")
    assert tokens.count() > 2
    chosen = "".join(tokens.nth(at).locator(".piece").inner_text() for at in (1, 2))
    tokens.nth(1).hover()
    page.mouse.down()
    tokens.nth(2).hover()
    page.mouse.up()
    page.get_by_role("button", name="Trace these").click()
    page.wait_for_url(lambda url: "/traces/" in url and url.split("?")[0] != whole)
    answered(page)
    expect(page.locator("h1 mark.target")).to_have_text(chosen.strip())
    expect(page.locator(".token input:checked")).to_have_count(2)
    assert page.locator(".proponent .meta > a:not(.rank-link)").all_text_contents() != scores


def test_why_this_rather_than_that(page: Page, asked: Site) -> None:
    """Passages of the difference, then those of either answer side by side."""
    ask(page, asked.address, "The currency of Ghana is the", " cedi")
    answered(page)
    page.locator("#contrast").fill("the")  # colours the passages that say it, before anything is asked
    expect(page.locator(".passage mark.weighed").first).to_have_text(re.compile("the", re.IGNORECASE))
    page.locator("#contrast").fill("dollar")
    expect(page.locator(".passage mark.weighed", has_text=re.compile("^the$", re.IGNORECASE))).to_have_count(
        0
    )
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
    page.set_extra_http_headers(
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    )
    ask(page, asked.address, "The capital of Chad is", " old")  # as a person, for whom work is begun unasked
    answered(page)
    page.evaluate("window.sameDocument = true")
    page.locator(".proponent").first.get_by_role("button", name="Train one step").click()
    expect(page.locator(".proponent").first.locator(".stepped")).to_contain_text(
        re.compile("→|below"), timeout=20_000
    )
    page.get_by_role("button", name="Train one step on each passage").click()
    expect(page.locator(".proponent .stepped")).to_have_count(10, timeout=20_000)
    expect(page.locator(".verdict")).to_contain_text("Ten random passages move it")
    expect(page.locator("#causes")).to_contain_text("learning rate")
    assert page.evaluate("window.sameDocument")


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
        for _ in range(90):
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
