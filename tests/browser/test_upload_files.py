"""Loading files in the browser: a large one with progress, a broken one named, without scripts, two compared."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import violations
from tests.support.pair_files import jsonl, record
from tests.support.small_server import sharing

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
    expect(page).to_have_url(re.compile(r"/upload/[0-9a-z]+$"), timeout=30_000)
    values = [float(value) for value in page.evaluate("sessionStorage.seen").split()]
    assert len(values) > 2
    assert max(values) >= LARGE
    page.get_by_role("link", name="Browse its prompts").wait_for(timeout=60_000)
    assert violations(page) == []
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
    assert violations(page) == []
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


def test_a_file_is_fetched_by_address_from_a_listed_host(
    plain_page: Page, own_live: Callable[..., str], tmp_path: Path
) -> None:
    """From the operator's hosts and from nobody else; the page names them."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "c4_trex_gecko.jsonl").write_bytes(jsonl([record(n) for n in range(3)]))
    page = plain_page
    with sharing(tmp_path / "files") as served:
        place = served.removeprefix("http://")
        page.goto(f"{own_live(fetch_hosts=(place,))}/upload")
        expect(page.locator("main")).to_contain_text(f"Files are fetched from {place} only.")
        page.get_by_label("Address").fill(f"{served}/c4_trex_gecko.jsonl")
        page.get_by_role("button", name="Fetch").click()
        page.get_by_role("link", name="Browse its prompts").click(timeout=20_000)
        expect(page.locator(".sentence")).to_contain_text("3 prompts")
        page.goto(page.url.partition("/prompts")[0] + "/upload")
        page.get_by_label("Address").fill(f"{served}/c4_trex_gecko.jsonl".replace("127.0.0.1", "localhost"))
        page.get_by_role("button", name="Fetch").click()
        elsewhere = place.replace("127.0.0.1", "localhost")
        expect(page.locator("main")).to_contain_text(
            f"Files are not fetched from {elsewhere}. Allowed: {place}."
        )


def test_a_preset_is_one_click(plain_page: Page, own_live: Callable[..., str], tmp_path: Path) -> None:
    """Files that the operator put there stand on the page, with their sizes."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "paper_bm25.jsonl").write_bytes(jsonl([record(n, "bm25") for n in range(4)]))
    plain_page.goto(f"{own_live()}/upload")
    offered = plain_page.get_by_role("listitem").filter(has_text="paper_bm25.jsonl")
    offered.get_by_role("button", name="Load").click()
    plain_page.get_by_role("link", name="Browse its prompts").click(timeout=20_000)
    expect(plain_page.locator(".sentence")).to_contain_text("4 prompts in paper")


def test_tasks_of_a_file_are_told_apart_and_filtered(
    plain_page: Page, own_live: Callable[..., str], tmp_path: Path
) -> None:
    """A file that mixes tasks, as the paper's does: each is one click, with its own count."""
    tasks = ["fact"] * 4 + ["commonsense"] * 3 + ["arithmetic"] * 2 + ["open_ended"]
    (tmp_path / "mixed.jsonl").write_bytes(
        jsonl([{**record(n), "task": task} for n, task in enumerate(tasks)])
    )
    page = plain_page
    page.goto(f"{own_live()}/upload")
    page.locator("input[type=file]").set_input_files(tmp_path / "mixed.jsonl")
    page.get_by_role("button", name="Load").first.click()
    page.get_by_role("link", name="Browse its prompts").click(timeout=20_000)
    listed = page.url
    for name, task in (("Facts", "fact"), ("Commonsense", "commonsense"), ("Arithmetic", "arithmetic")):
        page.goto(listed)
        page.locator(".facets a", has_text=name).click()
        count = tasks.count(task)
        expect(page.locator(".sentence")).to_contain_text(re.compile(f"^{count} "))
        expect(page.locator(".list-column .prompt-list a")).to_have_count(count)
        assert f"task={task}" in page.url


def test_loading_can_be_switched_off(page: Page, own_live: Callable[..., str]) -> None:
    page.goto(f"{own_live(upload_enabled=False)}/upload")
    expect(page.locator("main")).to_contain_text("switched loading files off")
    expect(page.locator("main form, main input")).to_have_count(0)


def test_a_file_too_large_is_refused_before_it_is_sent(
    page: Page, own_live: Callable[..., str], large: Path
) -> None:
    page.goto(f"{own_live(upload_limit_mb=1)}/upload")
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name="Load").first.click()
    expect(page.locator(".quiet[role=status]")).to_contain_text("at most 1.0 MB")
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
