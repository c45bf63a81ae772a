"""Texts that attack or break, two thousand proponents, near-duplicates: of an imported file, in the browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.paper import LATE, MANY, TWIN

HOSTILE = "/runs/paper-trackstar/prompts/trex-groundtruth-hostile"
CROWD = "/runs/paper-trackstar/prompts/trex-groundtruth-many"


@pytest.mark.parametrize("view", ["entities", "verbatim", "plain"])
def test_imported_attacks_and_accidents_are_text(page: Page, paper: str, view: str) -> None:
    """`<script>`, `</mark>`, null bytes, lone surrogates, right-to-left, emoji, 100 KB: eight cards, nothing else."""
    page.goto(f"{paper}{HOSTILE}?view={view}")
    cards = page.locator("section.proponent")
    expect(cards).to_have_count(8)
    assert page.evaluate("window.owned") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("main img, main script, main b script").count() == 0
    said = cards.all_inner_texts()
    assert "<script>window.owned = true</script>" in said[0]
    assert "</mark></p></main>" in said[0]
    assert cards.nth(1).locator(".passage").evaluate("p => getComputedStyle(p).direction") == "rtl"
    assert "👩‍👩‍👧‍👦" in said[2]
    assert "Before\ufffdafter" in said[3]
    assert "A lone \ufffd surrogate" in said[4]
    assert "In Ghana the cedi is what you pay with" in said[6]
    assert len(said[6]) < 2_000, "a long passage opens at what matters"
    assert "{{ 7 * 7 }}" in said[7]


def test_hostile_prompts_are_listed_compared_cited_and_saved_unharmed(page: Page, paper: str) -> None:
    for path in (
        "/prompts?run=paper-trackstar&q=Ghana",
        "/compare/trex-groundtruth-hostile?runs=paper-trackstar,paper-bm25",
        f"{HOSTILE}/cite",
        "/prompts?run=paper-trackstar&relation=%3C%2Fmark%3Ecurrency",
    ):
        answer = page.goto(paper + path)
        assert answer is not None
        assert answer.ok, path
        assert page.evaluate("window.owned") is None
        expect(page.locator("main")).to_contain_text("The currency of Ghana <script>")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_name_that_changes_direction_leaves_the_words_after_it(page: Page, paper: str) -> None:
    """An override that a name leaves open turned round the names after it in “Compare with …”, and the full stop."""
    page.goto(f"{paper}/runs/paper-trackstar")
    compared = page.locator("p", has_text="Compare with")
    places = compared.evaluate(
        """line => {
            line.querySelector("a").textContent = "by \u202ewords";
            line.append(" and others");
            const rest = new Range();
            rest.setStart(line.lastChild, 1);
            rest.setEnd(line.lastChild, 4);
            const last = new Range();
            last.setStart(line.lastChild, 5);
            last.setEnd(line.lastChild, 11);
            return [rest.getBoundingClientRect().left, last.getBoundingClientRect().left];
        }"""
    )
    assert places[0] < places[1], "“and” stands before “others”"


def test_a_long_passage_can_be_read_whole(page: Page, paper: str) -> None:
    """A hundred thousand characters have a page of their own, and the way back leads to the same place."""
    page.goto(paper + HOSTILE)
    page.get_by_role("link", name="Read all").click()
    assert len(page.locator("blockquote").inner_text()) > 90_000
    expect(page.locator("#found-for")).to_be_attached()
    page.go_back()
    expect(page.locator("section.proponent")).to_have_count(8)


def test_two_thousand_proponents_can_all_be_reached(plain_page: Page, paper: str) -> None:
    """Twenty at first, ten times as many at a touch; the page answers the question where the fact is stated at all."""
    page = plain_page
    page.goto(paper + CROWD)
    expect(page.locator("section.proponent")).to_have_count(19)  # one is folded
    page.get_by_role("link", name=f"Show more of {MANY:,}").click()
    expect(page.locator("section.proponent")).to_have_count(199)
    page.get_by_role("link", name="Verbatim").click()
    expect(page.locator("section.proponent")).to_have_count(199)
    page.goto(paper + CROWD)
    page.locator(".claim").get_by_role("link", name=f"rank {LATE}").click()
    expect(page.locator("section.proponent")).to_have_count(MANY - 1, timeout=60_000)
    expect(page.locator(f"#p{LATE}")).to_be_in_viewport(timeout=30_000)
    expect(page.locator(f"#p{LATE}")).to_contain_text(re.compile("states the fact", re.IGNORECASE))
    late = page.locator(f"#p{LATE} .meta a").first
    late.click()
    page.locator("#list td a.line").first.click()
    expect(page.locator(f"#p{LATE}")).to_be_in_viewport(timeout=30_000)


def test_near_duplicates_fold_into_one_with_a_count(plain_page: Page, paper: str) -> None:
    page = plain_page
    page.goto(paper + CROWD)
    assert page.locator(f"section#p{TWIN}").count() == 0
    first = page.locator(f"section#p{TWIN - 1}")
    folded = first.locator("details.same")
    expect(folded).to_contain_text("and 1 nearly the same")
    expect(folded.get_by_role("link")).not_to_be_visible()
    folded.locator("summary").click()
    expect(folded.get_by_role("link")).to_contain_text(f"rank {TWIN}")
    page.goto(f"{paper}{CROWD}#p{TWIN}")  # a link to the folded one still leads to it
    expect(first).to_be_in_viewport()


def test_a_phone_reads_all_of_it_without_sideways_scroll(phone: Page, paper: str) -> None:
    for path in (
        HOSTILE,
        f"{HOSTILE}?view=verbatim",
        CROWD,
        "/prompts",
        "/runs/paper-trackstar",
        f"{HOSTILE}/cite",
    ):
        phone.goto(paper + path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_paper_is_white_and_carries_the_passages(browser: Browser, paper: str) -> None:
    """Printed from dark mode, with what is unfolded and without the furniture; highlights keep their forms."""
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(paper + HOSTILE)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.passage')).color") == "rgb(0, 0, 0)"
    for away in ("header.site", "footer.site", ".bar", ".pager", ".tools", "aside"):
        expect(page.locator(away).first).not_to_be_visible()
    for stays in ("#prompt", "#p1 .passage", "#p1 .meta"):
        expect(page.locator(stays).first).to_be_visible()
    mark = "getComputedStyle(document.querySelector('#p1 mark.subject'))"
    assert page.evaluate(f"{mark}.borderBottomStyle") == "dotted"
    context.close()
