"""Open to everybody: axe finds nothing on any page in light and dark; nothing scrolls sideways on a small phone."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.settings import Settings
from app.store.engine import open_store
from tests.support import evaluated
from tests.support.axe import Scheme, violations

SWALLOWED = """() => [...document.querySelectorAll("body *")].filter(box => {
    const look = getComputedStyle(box);
    const row = /flex/.test(look.display) && look.flexDirection.startsWith("row") && !(parseFloat(look.columnGap) > 2);
    const word = node => node.nodeType === 3 && node.textContent.trim();
    return row && [...box.childNodes].some(node => word(node) && (
        (node.previousElementSibling && /^\\s/.test(node.textContent))
        || (node.nextElementSibling && /\\s$/.test(node.textContent))));
}).map(box => box.textContent.trim().slice(0, 80))"""
"""Texts in flexible rows without a gap that have a space beside an element."""
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
    "/runs/trackstar/prompts/capital-china?view=plain",
    "/runs/hostile/prompts/attack",
    "/passages/1",
    "/compare",
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

# Marks of these kinds, each inside the one before it, put into a passage: the colours of ink and ground in its midst.
PAINTED = """kinds => {
  let at = document.querySelector('.proponent .passage');
  for (const kind of kinds) at = at.appendChild(Object.assign(document.createElement('mark'), { className: kind }));
  at.textContent = 'words';
  const brush = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const layers = [];
  for (let each = at; each; each = each.parentElement) layers.unshift(getComputedStyle(each).backgroundColor);
  const painted = [...layers, getComputedStyle(at).color].map(colour => {
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  });
  return [painted.at(-1), painted.at(-2)];
}"""


def contrast(ink: list[int], paper: list[int]) -> float:
    """The ratio of their luminances, as WCAG 2 defines it."""

    def luminance(colour: list[int]) -> float:
        linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(ink), luminance(paper)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, live: str, scheme: Scheme) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    found = {}
    for path in PAGES:
        page.goto(live + path)
        if broken := violations(page):
            found[path] = broken
    context.close()
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_a_phone(browser: Browser, live: str, scheme: Scheme) -> None:
    """Other rules apply: folded filters, stacked tables, smaller targets."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 720})
    page = context.new_page()
    found = {}
    for path in ("/", "/prompts", "/runs", "/runs/trackstar/prompts/capital-china", "/passages/1", "/docs"):
        page.goto(live + path)
        if broken := violations(page):
            found[path] = broken
    context.close()
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_over_an_imported_file(browser: Browser, paper: str, scheme: Scheme) -> None:
    """Windows of AIS, folded duplicates, words picked by the reader, hostile texts and what is told of them."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    found = {}
    example = "/runs/paper-trackstar/prompts/trex-groundtruth"
    for path in (
        "/prompts?run=paper-trackstar&where=correct",
        f"{example}-000000006?pick=Paris",
        f"{example}-hostile",
        f"{example}-hostile?view=verbatim",
        f"{example}-many",
        "/compare/trex-groundtruth-000000006?runs=paper-trackstar,paper-bm25&pick=Paris",
    ):
        page.goto(paper + path)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        if broken := violations(page):
            found[path] = broken
    context.close()
    assert found == {}


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_their_tables_are_open_to_everybody(
    browser: Browser, judged: str, scheme: Scheme, width: int
) -> None:
    """The tables behind the charts too: they are folded at first, and axe does not look into what is folded."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    found: dict[str, object] = {}
    for path in ("/evaluation", "/runs", "/evaluation/prompts?run=trackstar", "/runs/trackstar"):
        page.goto(judged + path)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        if broken := violations(page):
            found[path] = broken
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found[f"width of {path}"] = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert found == {}


@pytest.mark.parametrize("width", [1280, 320])
def test_a_name_of_200_letters_breaks_no_page(
    browser: Browser, tmp_path: Path, migrated_sqlite: Path, serve: Any, width: int
) -> None:
    """As long as the importer lets it be, and without a place to break: in headings, tables, keys and choices."""
    shutil.copy(migrated_sqlite, tmp_path / "startrail.db")
    store = open_store(f"sqlite:///{tmp_path / 'startrail.db'}")
    with store.session() as session:
        for run in evaluated.fill(session):
            run.name = run.slug.replace("-", "n").ljust(200, "n")
    store.engine.dispose()
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    found = {}
    with serve(Settings(home=tmp_path, _env_file=None)) as address:
        for path in ("/evaluation", "/runs", "/runs/bm25", "/compare", "/compare?runs=bm25,trackstar",
                     "/evaluation/prompts?run=bm25&measure=tail_patch_10&against=trackstar-step-100"):  # fmt: skip
            page.goto(address + path)
            page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
                found[path] = needed
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


def test_no_box_swallows_the_spaces_of_its_words(plain_page: Page, live: str) -> None:
    """A flexible box drops the space between a word and what stands beside it: “rank10,9 lower” was read on a card."""
    joined = {}
    for path in PAGES:
        plain_page.goto(live + path)
        if found := plain_page.evaluate(SWALLOWED):
            joined[path] = found
    assert joined == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_holds_inside_every_highlight(browser: Browser, live: str, scheme: Scheme) -> None:
    """Of each kind, of one kind inside another, and of every shade: measured as painted, layer over layer."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{live}/runs/trackstar/prompts/capital-china")
    shades = [f"{sign}-{n}" for sign in ("for", "against") for n in range(1, 6)]
    kinds = ["subject", "target", "window", "verbatim", "picked", *shades]
    nested = [
        "window target",
        "target picked",
        "window picked",
        "verbatim picked",
        "for-5 picked",
        "against-5 picked",
    ]
    low = {}
    for kind in [*kinds, *nested]:
        ink, paper = page.evaluate(PAINTED, kind.split())
        if (ratio := contrast(ink, paper)) < 4.5:
            low[kind] = ratio
    context.close()
    assert low == {}


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
