"""Open to everybody: axe finds nothing on any page in light and dark; nothing scrolls sideways on a small phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = (
    "/",
    "/prompts",
    "/prompts?task=fact&right=no",
    "/prompts?q=Beijing",
    "/prompts?task=arithmetic&relation=capital",
    "/prompts?where=correct+and",
    "/runs",
    "/runs/trackstar",
    "/runs/trackstar/prompts/capital-china",
    "/runs/trackstar/prompts/capital-china?view=verbatim",
    "/runs/trackstar/prompts/capital-china?side=opponent",
    "/runs/hostile/prompts/attack",
    "/passages/1",
    "/compare?runs=trackstar,bm25",
    "/compare/capital-china?runs=trackstar,bm25,dense",
    "/runs/trackstar/prompts/capital-china/cite",
    "/evaluation",
    "/trace",
    "/upload",
    "/about",
    "/docs",
    "/readyz",
    "/runs/not-a-run",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, live: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    found = {}
    for path in PAGES:
        page.goto(live + path)
        page.evaluate(AXE)
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        violations = [
            (
                each["id"],
                [node["html"][:160] + " | " + node["failureSummary"][-200:] for node in each["nodes"][:3]],
            )
            for each in result["violations"]
        ]
        if violations:
            found[path] = violations
    context.close()
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_a_phone(browser: Browser, live: str, scheme: str) -> None:
    """Other rules apply: folded filters, stacked tables, smaller targets."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 720})  # type: ignore[arg-type]
    page = context.new_page()
    found = {}
    for path in ("/", "/prompts", "/runs", "/runs/trackstar/prompts/capital-china", "/passages/1", "/docs"):
        page.goto(live + path)
        page.evaluate(AXE)
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        if result["violations"]:
            found[path] = [(each["id"], each["nodes"][0]["html"][:200]) for each in result["violations"]]
    context.close()
    assert found == {}


def test_no_page_scrolls_sideways_at_320_pixels(phone: Page, live: str) -> None:
    """Unbroken words, long tables and wide pictures included."""
    wide = {}
    for path in PAGES:
        phone.goto(live + path)
        width = phone.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[path] = width
    assert wide == {}


def test_highlights_are_told_apart_without_colour(page: Page, live: str) -> None:
    """Subject dotted, target solid, window dashed, verbatim a thick underline: for eyes and printers without colour."""
    page.goto(f"{live}/runs/hostile/prompts/attack")
    looks = {}
    for kind in ("subject", "target", "window"):
        looks[kind] = page.evaluate(
            """kind => { const s = getComputedStyle(document.querySelector(`.proponent mark[class="${kind}"]`));
                         return `${s.borderBottomStyle} ${s.outlineStyle} ${s.textDecorationLine}` }""",
            kind,
        )
    page.goto(f"{live}/runs/hostile/prompts/attack?view=verbatim")
    style = "getComputedStyle(document.querySelector('.proponent mark.verbatim'))"
    looks["verbatim"] = page.evaluate(
        f"`${{{style}.borderBottomStyle}} none ${{{style}.textDecorationLine}}`"
    )
    assert len(set(looks.values())) == 4, looks
    page.goto(f"{live}/prompts?right=no")
    shape = "getComputedStyle(document.querySelector('.list-column .dot')).borderRadius"
    wrong = page.evaluate(shape)
    page.goto(f"{live}/prompts?right=yes")
    assert page.evaluate(shape) != wrong
