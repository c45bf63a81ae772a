"""The plot in a browser: a dot and its row light each other, and dots travel once to where a step led them."""

import pytest
from playwright.sync_api import Browser, Page, expect

EXAMPLE = "/runs/trackstar/prompts/capital-china"
MOVING = "document.getAnimations().filter(each => each.effect.target.tagName === 'circle').length"


def test_a_dot_lights_its_row_and_a_row_its_dot(page: Page, live: str) -> None:
    page.goto(live + EXAMPLE)
    page.wait_for_timeout(1_000)  # until the dots stand still
    page.locator(".dots a[href='#p1'] circle").first.hover(force=True)
    expect(page.locator("#p1")).to_have_class("proponent lit")
    page.locator("#p2 .passage").first.hover()
    expect(page.locator("#p1")).to_have_class("proponent")
    assert page.locator(".dots a.lit").evaluate_all("dots => dots.map(dot => dot.getAttribute('href'))") == [
        "#p2"
    ]


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_dots_travel_once_from_before_and_not_for_those_who_want_no_motion(
    browser: Browser, live: str, motion: str
) -> None:
    context = browser.new_context(reduced_motion=motion)  # type: ignore[arg-type]  # Playwright's type is its two words, not any str
    page = context.new_page()
    page.goto(live + EXAMPLE)
    dots = page.locator(".dots circle").count()
    assert dots
    assert page.evaluate(MOVING) == (0 if motion == "reduce" else dots)
    context.close()
