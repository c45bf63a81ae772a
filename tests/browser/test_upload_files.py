"""Loading files in the browser: a large one with progress, a broken one named, without scripts, two compared."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pair_files import jsonl, record
from playwright.sync_api import Page, expect

LARGE = 50 << 20


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results file of 50 MB: 260 examples of ten long passages."""
    path = tmp_path_factory.mktemp("large") / "c4_trex_trackstar_large.jsonl"
    with path.open("wb") as file:
        number = 0
        while file.tell() < LARGE:
            file.write(jsonl([record(number, passages=10, size=20_000)]))
            number += 1
    return path


def test_fifty_megabytes_are_sent_with_progress_and_read_in(
    page: Page, own_live: Callable[..., str], large: Path
) -> None:
    """The bar moves while the file is sent; then a page follows the import to its end, and its prompts are there."""
    page.goto(f"{own_live()}/upload")
    page.evaluate(
        """() => { const bar = document.querySelector("form[data-upload] progress"); window.seen = [];
        new MutationObserver(() => sessionStorage.seen = (sessionStorage.seen || "") + " " + bar.value)
          .observe(bar, { attributes: true }); }"""
    )
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name="Load").first.click()
    expect(page).to_have_url(re.compile(r"/upload/[0-9a-f]{16}$"), timeout=30_000)
    values = [float(value) for value in page.evaluate("sessionStorage.seen").split()]
    assert len(values) > 2
    assert max(values) >= LARGE
    page.get_by_role("link", name="Browse its prompts").wait_for(timeout=60_000)
    page.get_by_role("link", name="Browse its prompts").click()
    expect(page.locator(".sentence")).to_contain_text("prompts")
    page.locator(".list-column a[href*='/prompts/']").first.click()
    expect(page.locator("h1")).to_contain_text("Painter number")


def test_a_broken_line_is_named_and_nothing_is_imported(
    page: Page, own_live: Callable[..., str], tmp_path: Path
) -> None:
    site = own_live()
    (tmp_path / "broken.jsonl").write_bytes(
        jsonl([record(1)]) + json.dumps({**record(2), "proponents": 5}).encode() + b"\n"
    )
    page.goto(f"{site}/upload")
    page.locator("input[type=file]").set_input_files(tmp_path / "broken.jsonl")
    page.get_by_role("button", name="Load").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Line 2", timeout=20_000)
    expect(page.get_by_role("alert")).to_contain_text("proponents")
    page.goto(f"{site}/runs")
    expect(page.locator("main")).not_to_contain_text("broken")


def test_two_files_are_compared_on_the_same_example_without_scripts(
    plain_page: Page, own_live: Callable[..., str], tmp_path: Path
) -> None:
    """Loading, waiting and comparing need no JavaScript: the progress page renews itself."""
    site = own_live()
    for method in ("trackstar", "bm25"):
        path = tmp_path / f"paper_{method}.jsonl"
        path.write_bytes(jsonl([record(n, method) for n in range(5)]))
        plain_page.goto(f"{site}/upload")
        plain_page.locator("input[type=file]").set_input_files(path)
        plain_page.get_by_role("button", name="Load").first.click()
        plain_page.get_by_role("link", name="Browse its prompts").wait_for(timeout=20_000)
    plain_page.get_by_role("link", name="Where it differs from another run").click()
    plain_page.locator(".differ .prompt a").first.click()
    expect(plain_page.locator(".side")).to_have_count(2)
    expect(plain_page.locator("h1")).to_contain_text("Painter number")
    ranks = plain_page.locator(".side").first.locator(".short .meta").first
    expect(ranks).to_contain_text("rank 4")


def test_a_file_too_large_is_refused_before_it_is_sent(
    page: Page, own_live: Callable[..., str], large: Path
) -> None:
    page.goto(f"{own_live(upload_limit_mb=1)}/upload")
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name="Load").first.click()
    expect(page.get_by_role("status")).to_contain_text("at most 1.0 MB")
    expect(page).to_have_url(re.compile("/upload$"))


def test_a_wrong_token_is_said_and_the_file_can_be_sent_again(
    page: Page, own_live: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([record(1)]))
    page.goto(f"{own_live(upload_token='s3cret')}/upload")
    form = page.locator("form[data-upload]")
    form.locator("input[type=file]").set_input_files(tmp_path / "a.jsonl")
    form.get_by_label("Token").fill("wrong")
    form.get_by_role("button", name="Load").click()
    expect(form.get_by_role("status")).to_contain_text("token is not right")
    form.get_by_label("Token").fill("s3cret")
    form.get_by_role("button", name="Load").click()
    page.get_by_role("link", name="Browse its prompts").wait_for(timeout=20_000)
