"""Open to everybody: axe finds nothing on any page in light and dark; nothing scrolls sideways on a small phone."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import evaluated
import pytest
from axe import violations
from playwright.sync_api import Browser, Page

from app.settings import Settings
from app.store.engine import open_store

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
        if broken := violations(page):
            found[path] = broken
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
        if broken := violations(page):
            found[path] = broken
    context.close()
    assert found == {}


@pytest.fixture(scope="module")
def judged(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> Iterator[str]:
    """The address of a site with a dozen evaluated runs, so that every chart is drawn."""
    home = tmp_path_factory.mktemp("judged")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        evaluated.fill(session)
    store.engine.dispose()
    with serve(Settings(home=home, _env_file=None)) as address:  # type: ignore[call-arg]
        yield address


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_their_tables_are_open_to_everybody(
    browser: Browser, judged: str, scheme: str, width: int
) -> None:
    """The tables behind the charts too: they are folded at first, and axe does not look into what is folded."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
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
