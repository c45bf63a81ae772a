"""Where the model was wrong, as a reader meets it: with JavaScript and without."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.settings import Settings
from app.store.engine import open_store
from app.store.tables import Prompt, Result, Run
from tests.http.test_said import beside


@pytest.fixture(scope="module")
def mistaken(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_sqlite: Path,
    serve: Callable[[Settings], AbstractContextManager[str]],
) -> Iterator[str]:
    """The page of a prompt to which the model said Reykjavik, and was wrong."""
    home = tmp_path_factory.mktemp("mistaken")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    index = home / "indexes" / "demo"  # with one, a prompt can be edited and asked again
    index.mkdir(parents=True)
    (index / "manifest.json").touch()
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        wrong, _ = beside(session)
    with store.session() as session:
        asked = select(Result).join(Prompt).join(Run, Run.id == Result.run_id)
        asked = asked.where(Run.slug == "trackstar-said", Prompt.slug == wrong)
        session.scalars(asked).one().contrast = " Beijing"
    store.engine.dispose()
    with serve(Settings(home=home, _env_file=None)) as address:
        yield f"{address}/runs/trackstar/prompts/{wrong}"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def reader(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with JavaScript, and one without."""
    context = browser.new_context(java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def test_a_mistake_opens_on_what_was_said_with_the_truth_beside_it(reader: Page, mistaken: str) -> None:
    """Both have their probability, each said to be its own; to ask again asks for what the page shows."""
    reader.goto(mistaken)
    expect(reader.locator("h1 mark.target")).to_have_text("Reykjavik")
    claim = reader.get_by_text("The model is 62 % sure. The truth is “Beijing”: 73 %.")
    expect(claim).to_be_visible()
    expect(claim.locator(".tag")).to_have_text("wrong")
    address = reader.get_by_role("link", name="Edit and ask again").get_attribute("href")
    again = parse_qs(urlsplit(str(address)).query)
    assert again["completion"][0].startswith(" Reykjavik")
    assert again["contrast"] == [" Beijing"]
    reader.get_by_role("link", name="The truth", exact=True).click()
    expect(reader.locator("h1 mark.target")).to_have_text("Beijing")
    expect(reader.locator("main")).to_contain_text("Reykjavik")


def test_what_the_passages_were_ranked_by_is_what_the_heading_says(reader: Page, mistaken: str) -> None:
    """The heading said “rather than” over passages of what was said alone; a method of words cannot, and says so."""
    reader.goto(mistaken)
    expect(reader.locator("h1")).to_contain_text("Reykjavik rather than Beijing")
    expect(reader.locator(".searched")).to_have_text(
        "TrackStar ranks passages by how they make “Reykjavik” likelier than “Beijing”."
    )
    reader.get_by_role("navigation", name="Method").get_by_role("link", name="BM25").click()
    expect(reader.locator("h1")).to_contain_text("Reykjavik")
    expect(reader.locator("h1")).not_to_contain_text("rather than")
    expect(reader.locator(".searched")).to_contain_text("BM25 searches for the words of the prompt and")


def test_mistakes_are_listed_and_lead_to_their_pages(reader: Page, mistaken: str) -> None:
    """The surest first, and each with what was said and what is right, and how likely either was."""
    site, _, place = mistaken.partition("/runs/")
    reader.goto(f"{site}/finds/mistakes")
    first = reader.locator("tbody tr").first
    expect(first).to_contain_text("Reykjavik 62 %")
    expect(first).to_contain_text("Beijing 73 %")
    first.get_by_role("link").first.click()
    expect(reader).to_have_url(re.compile(re.escape(f"/runs/{place}")))
    expect(reader.locator("h1 mark.target")).to_have_text("Reykjavik")
