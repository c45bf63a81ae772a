"""What is shared: passages and what they influence, citations, files, old addresses, and what was taken down."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from app.cli.main import app
from app.settings import get_settings
from tests.support.axe import violations
from tests.support.paper import records

EXAMPLE = "/runs/paper-trackstar/prompts/trex-groundtruth-000000006"


def test_a_passage_shows_everything_it_was_found_for_across_runs(plain_page: Page, live: str) -> None:
    """From the run's passages that it found most often to one of them, to one prompt of one run, at its very place there."""
    page = plain_page
    page.goto(f"{live}/runs/trackstar")
    page.get_by_text("Passages found for most prompts").click()
    first = page.locator(".passage-list li").first
    promised = int(first.locator(".num").inner_text().split()[0])
    first.get_by_role("link").click()
    page.wait_for_load_state("domcontentloaded")
    runs = page.get_by_role("navigation", name="Run").get_by_role("link")
    assert runs.count() >= 2, "more than one run retrieved it"
    runs.filter(has_text="TrackStar").click()
    page.wait_for_load_state("domcontentloaded")
    rows = page.locator("#list tbody tr")
    assert rows.filter(has_not_text="opponent").count() == promised
    rank = rows.first.locator("td").first.inner_text()
    rows.first.get_by_role("link").click()
    expect(page.locator(f"#p{rank}")).to_be_in_viewport()
    assert page.url.endswith(f"#p{rank}")


def test_an_example_is_cited_by_its_permalink(plain_page: Page, paper: str) -> None:
    page = plain_page
    page.goto(f"{paper}{EXAMPLE}?view=verbatim")
    page.get_by_role("link", name="Cite").click()
    page.wait_for_load_state("domcontentloaded")
    text, bibtex = page.locator("pre").all_inner_texts()
    assert paper + EXAMPLE in text
    assert bibtex.startswith("@misc{")
    assert paper + EXAMPLE in bibtex


def test_what_a_page_shows_is_saved_as_a_file(page: Page, paper: str) -> None:
    """The filtered list as CSV and JSON Lines, one example as CSV: the same rows in the same order."""
    page.goto(f"{paper}/prompts?run=paper-trackstar&where=correct&sort=score")
    lines = [" ".join(each.split()) for each in page.locator(".list-column .line").all_inner_texts()]

    def saved(name: str) -> str:
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        return Path(download.value.path()).read_text()

    rows = list(csv.DictReader(io.StringIO(saved("CSV"))))
    assert [f"{row['prompt']} {row['target']}" for row in rows][: len(lines)] == lines
    assert len(rows) == sum(bool(r.get("is_8b_correct")) for r in records("trackstar"))
    kept = [json.loads(line) for line in saved("JSON Lines").splitlines()]
    assert [each["inputs_plaintext"] for each in kept] == [row["prompt"] for row in rows]
    assert kept[-1]["end_of_export"] == len(rows)
    page.goto(paper + EXAMPLE)
    passages = list(csv.DictReader(io.StringIO(saved("CSV"))))
    assert [row["text"] for row in passages] == records("trackstar")[6]["proponents"]


@pytest.mark.parametrize(
    "old",
    ["/runs/Paper-TrackStar/prompts/trex_groundtruth:000000006", "/runs/paper%20trackstar/prompts/trex-groundtruth-000000006/"],
)  # fmt: skip
def test_other_names_of_an_example_lead_to_its_permalink(page: Page, paper: str, old: str) -> None:
    page.goto(f"{paper}{old}?view=verbatim#p3")
    expect(page).to_have_url(f"{paper}{EXAMPLE}?view=verbatim#p3")
    expect(page.locator("#p3")).to_be_in_viewport()


def test_a_removed_run_answers_gone_with_the_reason_and_the_rest_stays(
    page: Page, own_live: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`startrail runs remove` while the site runs: its links say why, passages and other runs are as before."""
    site = own_live()
    example = f"{site}/runs/bm25/prompts/capital-china"
    page.goto(example)
    passage = page.locator(".proponent .meta a").first.get_attribute("href")
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path))
    monkeypatch.delenv("STARTRAIL_DATABASE_URL", raising=False)
    get_settings.cache_clear()
    reason = "Withdrawn: computed over another corpus."
    done = CliRunner().invoke(app, ["runs", "remove", "bm25", "--yes", "--reason", reason])
    get_settings.cache_clear()
    assert done.exit_code == 0, done.output
    for gone in (example, f"{site}/runs/bm25", f"{example}?view=verbatim", f"{example}/cite"):
        answer = page.goto(gone)
        assert answer is not None
        assert answer.status == 410, gone
        expect(page.locator("main")).to_contain_text(reason)
    assert violations(page) == []
    answer = page.goto(f"{site}/runs/bm25/prompts/capital-china.json")
    assert answer is not None
    assert answer.json()["detail"] == reason
    for stays in (f"{site}{passage}", f"{site}/runs/trackstar/prompts/capital-china", f"{site}/prompts"):
        answer = page.goto(stays)
        assert answer is not None
        assert answer.ok, stays
    expect(page.get_by_role("navigation", name="Run")).not_to_contain_text("BM25")
