"""Exports are what the page shows: the same examples in the same order, whole, and safe to open."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.interchange.results import export_results, import_results
from app.store.engine import open_store
from app.store.runs import get_run
from app.web.site.export_rows import END
from tests.support.sites import store_of
from tests.support.twins import as_page

FILTERS = (
    "run=trackstar",
    "run=bm25&task=fact&sort=rare",
    "run=dense&where=correct and confidence > 0.3",
    "run=hostile",
)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def walked(client: TestClient, query: str) -> Iterator[dict[str, Any]]:
    """Every item of the list, page after page, as a reader sees them."""
    url: str | None = f"/prompts.json?{query}"
    while url:
        listing = client.get(url).json()["listing"]
        yield from listing["items"]
        url = listing["next_url"]


@pytest.mark.parametrize("query", FILTERS)
def test_the_list_as_csv_and_json_lines_is_the_list(client: TestClient, query: str) -> None:
    """Same filters, same order, all pages of it."""
    items = list(walked(client, query))
    answer = client.get(f"/prompts.csv?{query}")
    assert [row["slug"] for row in rows_of(answer.text)] == [item["slug"] for item in items]
    assert answer.headers["x-row-count"] == str(len(items))
    records = [json.loads(line) for line in client.get(f"/prompts.jsonl?{query}").text.splitlines()]
    assert [r["inputs_plaintext"] for r in records] == [item["text"] for item in items]
    assert [END in r for r in records] == [False] * (len(items) - 1) + [True]
    assert records[-1][END] == len(items)


def test_a_runs_page_exports_the_run(client: TestClient) -> None:
    """The link on the run's page, and the same filters as its list."""
    whole = client.get(client.get("/runs/bm25.json").json()["export_url"])
    assert whole.content == client.get("/prompts.jsonl?run=bm25").content
    some = client.get("/runs/bm25.csv?task=fact").text
    assert some == client.get("/prompts.csv?run=bm25&task=fact").text


def test_an_empty_list_is_a_file_with_a_heading(client: TestClient) -> None:
    assert rows_of(client.get("/prompts.csv?run=bm25&q=zzzzzz").text) == []
    assert client.get("/prompts.csv?run=bm25&q=zzzzzz").headers["x-row-count"] == "0"
    assert client.get("/prompts.jsonl?run=bm25&q=zzzzzz").text == ""


@pytest.mark.parametrize("side", ["proponent", "opponent"])
def test_an_example_as_csv_is_its_passages_in_rank_order(client: TestClient, side: str) -> None:
    example = as_page(next(walked(client, "run=trackstar"))["url"]).partition("?")[0]
    twin = client.get(f"{example}.json").json()
    cards = {c["rank"]: c for c in twin[f"{side}s"]}
    rows = rows_of(client.get(f"{example}.csv?side={side}").text)
    assert len(rows) == (twin["retrieved"] if side == "proponent" else len(rows))
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    for row in rows:
        if card := cards.get(int(row["rank"])):  # the page folds near-duplicates into one card
            assert (int(row["passage_id"]), float(row["score"])) == (card["passage_id"], card["score"])
            assert row["text"].lstrip("'") == card["text"].lstrip("'")


def test_an_example_as_json_lines_is_one_record_of_the_format(client: TestClient) -> None:
    example = as_page(next(walked(client, "run=trackstar"))["url"]).partition("?")[0]
    twin = client.get(f"{example}.json").json()
    record = json.loads(client.get(f"{example}.jsonl").text)
    assert (record["inputs_plaintext"], record["targets_plaintext"]) == (twin["prompt"], twin["target"])
    assert len(record["proponents"]) == len(record["proponent_scores"]) == twin["retrieved"]
    assert record.pop(END) == 1


def test_no_cell_of_a_hostile_run_is_a_formula(client: TestClient) -> None:
    for item in walked(client, "run=hostile"):
        path = as_page(item["url"]).partition("?")[0]
        for row in [
            *rows_of(client.get(f"{path}.csv").text),
            *rows_of(client.get("/prompts.csv?run=hostile").text),
        ]:
            for name, cell in row.items():
                try:
                    float(cell or 0)
                except ValueError:
                    assert cell[:1] not in "=+-@\t\r\n", (name, cell)


def test_a_downloaded_run_comes_back_equal(client: TestClient, database_url: str, tmp_path: Path) -> None:
    """What one site exports another imports, field by field; a file that was cut is refused."""
    whole = client.get("/prompts.jsonl?run=trackstar").content
    (tmp_path / "run.jsonl").write_bytes(whole)
    store = open_store(database_url)
    with store.session() as session:
        run = import_results(session, tmp_path / "run.jsonl", run="again")
        again = list(export_results(session, run))
    store.engine.dispose()
    first = [json.loads(line) for line in whole.splitlines()]
    first[-1].pop(END)
    assert again == first


def test_the_browsers_copy_is_kept_while_nothing_changed(client: TestClient) -> None:
    for url in ("/prompts.csv?run=bm25", "/prompts.jsonl?run=bm25"):
        answer = client.get(url)
        again = client.get(url, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(f"{url}&task=fact").headers["etag"] != answer.headers["etag"]
        assert answer.headers["content-disposition"].startswith('attachment; filename="bm25')


def test_an_evaluated_run_is_another_file_than_before(client: TestClient) -> None:
    """The browser kept the copy without types and tail-patches: 304, though the file has them now."""
    store = store_of(client)
    before = {url: client.get(url).headers["etag"] for url in ("/runs/bm25.csv", "/runs/bm25.jsonl")}
    with store.session() as session:
        run = get_run(session, "bm25")
        kept, run.metrics = run.metrics, {**run.metrics, "evaluated_at": "2026-01-01T00:00:00"}
    for url, tag in before.items():
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 200
    with store.session() as session:
        get_run(session, "bm25").metrics = kept


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/prompts.csv?run=nowhere", 404),
        ("/prompts.jsonl?where=confidence >", 422),
        ("/runs/bm25/prompts/nowhere.csv", 404),
        ("/runs/bm25/prompts/nowhere.jsonl", 404),
    ],
)
def test_what_cannot_be_exported_is_an_error_and_no_half_file(
    client: TestClient, url: str, status: int
) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    assert "attachment" not in answer.headers.get("content-disposition", "")


def test_the_list_offers_itself_as_a_file_with_its_filters(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/prompts?run=bm25&task=fact&sort=rare").text, "html.parser")
    for kind in ("csv", "jsonl"):
        link = page.select_one(f'main a[href*=".{kind}"]')
        assert link is not None
        assert link["href"] == f"/prompts.{kind}?run=bm25&task=fact&sort=rare"
        assert client.get(link["href"]).status_code == 200
