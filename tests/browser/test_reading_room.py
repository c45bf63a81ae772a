"""Reading in a browser: the walk of a reader, with and without scripts, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

EXAMPLE = "/runs/trackstar/prompts/capital-china"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_from_the_front_page_to_a_passage_and_back(browser: Browser, live: str, scripts: bool) -> None:
    """Browse, filter by task, open a prompt, switch method and view, open a passage, go all the way back."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(live)
    page.locator(".tasks a", has_text="facts").click()
    expect(page.locator(".sentence")).to_contain_text("facts in TrackStar")
    page.locator(".facets a", has_text="capital").first.click()
    expect(page.locator(".sentence")).to_contain_text("facts about capital in TrackStar")
    listed = page.url
    page.locator(".list-column .prompt-list a").first.click()
    prompt = page.locator("#prompt").inner_text()
    expect(page.locator("section.proponent[id^='p']")).to_have_count(12)
    page.get_by_role("link", name="BM25").click()
    expect(page.locator(".seg a[aria-current]", has_text="BM25")).to_be_visible()
    assert page.locator("#prompt").inner_text() == prompt
    at_bm25 = page.url
    page.get_by_role("link", name="Verbatim").click()
    expect(page.locator("mark.verbatim").first).to_be_visible()
    assert "view=verbatim" in page.url
    page.locator(".proponent .meta a", has_text="passage").first.click()
    expect(page.locator("h1")).to_contain_text("Passage")
    page.go_back()
    expect(page.locator("mark.verbatim").first).to_be_visible()
    page.go_back()
    expect(page).to_have_url(at_bm25)
    expect(page.locator(".proponent mark.target").first).to_be_visible()
    expect(page.locator("header.site")).to_be_visible()  # the whole page, not a fragment
    page.go_back()
    page.go_back()
    expect(page).to_have_url(listed)
    context.close()


def test_words_are_searched_in_prompts_answers_and_passages(page: Page, live: str) -> None:
    page.goto(f"{live}/prompts")
    page.locator("#search").fill("Beijing")
    page.locator("#search").press("Enter")
    expect(page.locator(".sentence")).to_contain_text("containing “Beijing”")
    expect(page.locator(".list-column .line").first).to_contain_text("Beijing")
    expect(page.locator(".found mark").first).to_have_text("Beijing")
    page.locator("#search").fill("something else")  # what the model answers where it is wrong
    page.locator("#search").press("Enter")
    expect(page.locator(".list-column li").first).to_contain_text("the model says something else")


def test_a_filter_that_leaves_nothing_can_be_dropped(page: Page, live: str) -> None:
    page.goto(f"{live}/prompts?task=fact")
    page.locator("input[name=where]").fill("probability > 1")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Drop the expression “probability > 1”").click()
    expect(page.locator(".sentence")).to_contain_text("facts in TrackStar")


def test_switching_the_view_keeps_place_and_focus(page: Page, live: str) -> None:
    """Only the passages are swapped: the reader stays where they were, and so does the keyboard."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(live + EXAMPLE)
    page.evaluate("window.sameDocument = true; window.scrollTo(0, 600)")
    before = page.evaluate("scrollY")
    # not `click()`: it scrolls to where the bar would stand if it did not stay in sight
    page.get_by_role("link", name="Verbatim").evaluate("a => { a.focus({preventScroll: true}); a.click() }")
    expect(page.locator("mark.verbatim").first).to_be_visible()
    assert page.evaluate("window.sameDocument") is True
    assert abs(page.evaluate("scrollY") - before) < 120
    assert page.evaluate("document.activeElement.textContent") == "Verbatim"
    page.get_by_role("link", name="Plain").click()
    expect(page.locator("mark.verbatim")).to_have_count(0)
    assert page.evaluate("document.activeElement.textContent") == "Plain"
    page.go_back()
    expect(page.locator("#p1 mark.verbatim").first).to_be_visible()
    page.go_back()
    expect(page.locator("#p1 mark.target").first).to_be_visible()
    page.reload()
    expect(page.locator("header.site")).to_be_visible()


def test_dots_jump_to_their_passage(page: Page, live: str) -> None:
    page.goto(live + EXAMPLE)
    page.locator(".lanes a[href='#p5'] circle").click()
    expect(page.locator("#p5")).to_be_in_viewport()
    assert page.url.endswith("#p5")
    heading = page.locator("#p5 .rankbox").bounding_box()
    bar = page.locator(".bar").bounding_box()
    assert heading is not None
    assert bar is not None
    assert heading["y"] >= bar["y"] + bar["height"]  # not hidden under the bar that stays


def test_a_click_or_a_selection_marks_words_in_all_passages(page: Page, live: str) -> None:
    page.goto(live + EXAMPLE)
    page.locator("#prompt mark.subject").click()
    page.wait_for_load_state("domcontentloaded")
    marked = page.locator(".proponent mark.picked")
    assert marked.count() >= 10
    assert set(marked.all_text_contents()) == {"China"}
    texts = page.locator(".proponent .passage").all_text_contents()
    page.locator("#prompt").evaluate(
        """node => { const all = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), range = document.createRange();
            while (all.nextNode() && !all.currentNode.data.includes('capital'));
            const text = all.currentNode;
            range.setStart(text, text.data.indexOf('capital')); range.setEnd(text, text.data.indexOf('capital') + 7);
            getSelection().removeAllRanges(); getSelection().addRange(range) }"""
    )
    page.locator("#prompt").dispatch_event("mouseup")
    assert {words.lower() for words in marked.all_text_contents()} == {"capital"}
    assert page.locator(".proponent .passage").all_text_contents() == texts


def test_the_keyboard_reads_too(page: Page, live: str, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(live + EXAMPLE)
    page.keyboard.press("j")
    expect(page.locator("#p1")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#p2")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#p1")).to_be_focused()
    page.keyboard.press("c")
    expect(page.locator("#say")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == live + EXAMPLE
    first = page.url
    page.keyboard.press("]")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("[")
    page.wait_for_url(first)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("j?]")  # in a field these are letters
    assert page.locator("#search").input_value() == "j?]"
    page.locator("#search").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_shortcuts_can_be_switched_off_for_good(page: Page, live: str) -> None:
    """Speech and switch users set off single keys by accident (WCAG 2.1.4)."""
    page.goto(live + EXAMPLE)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Shortcuts are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    page.keyboard.press("j")
    assert page.locator("#p1:focus").count() == 0


def test_the_choice_of_dark_is_kept(page: Page, live: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(live)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.goto(live + EXAMPLE)
    assert page.evaluate(paper) == dark
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(paper) == light


def test_without_a_choice_the_system_decides(browser: Browser, live: str) -> None:
    seen = set()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, java_script_enabled=False)
        page = context.new_page()
        page.goto(live)
        seen.add(page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))
        context.close()
    assert len(seen) == 2


def test_hostile_passages_run_nothing(page: Page, live: str) -> None:
    """Scripts, closing tags, unbroken words, lone surrogates and a passage of 100,000 characters on one page."""
    for path in (
        "/runs/hostile/prompts/attack",
        "/runs/hostile/prompts/null",
        "/runs/hostile",
        "/runs",
        "/passages/1",
    ):
        page.goto(live + path)
        page.locator("#prompt mark").first.click() if page.locator("#prompt mark").count() else None
        assert page.evaluate("window.owned") is None
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{live}/runs/hostile/prompts/attack")
    assert page.locator(".proponent").count() == 8
    assert page.locator(".proponent .passage").first.evaluate("p => p.scrollHeight") < 300
    arabic = page.locator(".proponent .passage", has_text="ريكيافيك")
    assert arabic.evaluate("p => getComputedStyle(p).direction") == "rtl"


def test_the_policy_would_stop_what_slipped_through(page: Page, live: str, context: BrowserContext) -> None:
    """Even a script element that got into the page does not run."""
    free = context.new_page()
    free.goto(live)
    free.evaluate(
        """() => { const script = document.createElement('script');
                   script.textContent = 'window.owned = true'; document.body.append(script) }"""
    )
    assert free.evaluate("window.owned") is None


def test_long_passages_unfold_and_fold(page: Page, live: str) -> None:
    page.goto(f"{live}/runs/hostile/prompts/attack")
    folded = page.locator("details.long")
    assert folded.count() == 1
    words = folded.locator("p.passage")
    expect(words).not_to_be_visible()
    folded.locator("summary").click()
    expect(words).to_be_visible()
    folded.locator("summary").click()
    expect(words).not_to_be_visible()


def test_filters_fold_on_a_phone_and_open(phone: Page, live: str) -> None:
    """The list comes first, also once a filter is chosen: filters are one touch away, and say how many are."""
    phone.goto(f"{live}/prompts")
    expect(phone.locator(".facets a").first).not_to_be_visible()
    phone.get_by_text("Filters", exact=True).click()
    phone.locator(".facets a").first.click()
    expect(phone.get_by_text("Filters: 1 chosen")).to_be_visible()
    expect(phone.locator(".facets a").first).not_to_be_visible()


def test_paper_gets_the_text_and_not_the_furniture(page: Page, live: str) -> None:
    page.goto(live + EXAMPLE)
    page.emulate_media(media="print")
    expect(page.locator("header.site")).not_to_be_visible()
    expect(page.locator(".bar")).not_to_be_visible()
    expect(page.locator("#p1 .passage")).to_be_visible()
    page.goto(f"{live}/compare/capital-china?runs=trackstar,bm25,dense")
    expect(page.locator("button:visible, .button:visible, form:visible, .more-runs:visible")).to_have_count(0)
    expect(page.locator(".side .passage").first).to_be_visible()
    page.goto(f"{live}/prompts")
    expect(page.locator(".seg a:visible")).to_have_text(re.compile("TrackStar"))
