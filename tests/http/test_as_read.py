"""What the model read stands on pages as it read it: line breaks, blanks, and a space only where there is one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from fastapi.testclient import TestClient

from app.interchange.results import import_results
from app.store.engine import Store
from app.web.site.sheets import content
from tests.support.sites import site
from tests.support.twins import as_page

LONG = "Everyone in the village knew that the old bridge over the river would have to be mended before the rains came, "
RECORDS: list[dict[str, Any]] = [
    {"example_id": "sum", "inputs_plaintext": "Question: 6 × 7?\nAnswer:", "targets_plaintext": "\n42"},
    {"example_id": "tokyo", "inputs_plaintext": "日本の首都は", "targets_plaintext": "東京"},
    {"example_id": "code", "inputs_plaintext": "def f(x):\n    return", "targets_plaintext": "x + 1"},
    {"example_id": "comma", "inputs_plaintext": "We went to Accra", "targets_plaintext": ", and stayed."},
    {
        "example_id": "long",
        "inputs_plaintext": LONG * 4 + "so Ama",
        "targets_plaintext": "extraordinarily " * 20,
    },
]
READ = {
    "sum": ("Question: 6 × 7?\nAnswer:", "\n42"),
    "tokyo": ("日本の首都は", "東京"),
    "code": ("def f(x):\n    return", " x + 1"),
    "comma": ("We went to Accra", ", and stayed."),
}


@pytest.fixture
def reader(store: Store, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    path = tmp_path / "results.jsonl"
    passage = {"proponents": ["one\n\n  two   blanks"], "proponent_ids": ["p"], "proponent_scores": [0.5]}
    path.write_text("".join(json.dumps(record | passage) + "\n" for record in RECORDS))
    with store.session() as session:
        import_results(session, path, run="read")
    with site(database_url, tmp_path) as client:
        yield client


def read_in(place: Tag) -> list[str]:
    """The texts under `place` that keep their white space."""
    return [each.get_text() for each in place.select(".read, .passage, .whole")]


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("page", ["example", "cite"])
def test_headings(reader: TestClient, name: str, page: str) -> None:
    """“日本の首都は 東京” was never read by any model, nor was a sum on one line."""
    path = f"/runs/read/prompts/{name}" + ("/cite" if page == "cite" else "")
    soup = BeautifulSoup(reader.get(path).text, "html.parser")
    heading = soup.select_one("h1")
    assert heading is not None
    assert read_in(heading) == ["".join(READ[name])]


def test_lists_and_passages(reader: TestClient) -> None:
    soup = BeautifulSoup(reader.get("/prompts?run=read").text, "html.parser")
    shown = read_in(soup.select_one(".list-column .prompt-list") or soup)
    assert shown[:4] == ["".join(both) for both in READ.values()]
    example = reader.get("/runs/read/prompts/sum.json").json()
    soup = BeautifulSoup(reader.get("/runs/read/prompts/sum").text, "html.parser")
    assert [each.get_text() for each in soup.select("p.passage")] == ["one\n\n  two   blanks"]
    assert (example["explained"], example["joint"]) == ("42", "\n")
    url = as_page(example["proponents"][0]["url"])
    soup = BeautifulSoup(reader.get(url).text, "html.parser")
    whole = soup.select_one(".whole")
    assert whole is not None
    assert whole.get_text() == "one\n\n  two   blanks"
    assert "".join(READ["tokyo"]) in read_in(soup.select_one("#list") or soup)


def test_what_is_cut_is_cut_between_words(reader: TestClient) -> None:
    soup = BeautifulSoup(reader.get("/prompts?run=read").text, "html.parser")
    prompt, target = soup.select(".list-column .prompt-list .read")[-1].get_text().split("…")[:2]
    assert prompt
    assert (LONG * 4).startswith(prompt)
    assert (LONG * 4)[len(prompt)] in " ,"
    assert target.endswith("extraordinarily")


def test_white_space_is_kept_by_the_stylesheet(reader: TestClient) -> None:
    css = content("app.css").decode()
    for name in (".read", ".passage", ".whole", ".wrote"):
        rules = [rule for rule in css.split("}") if name in rule.split("{")[0].replace(",", " ").split()]
        assert any("white-space:pre-wrap" in rule.replace(" ", "") for rule in rules), name
