"""The registry as a reader sees it: each method once, with its runs here, in one colour on every page."""

import re

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.words.methods import METHODS, method_of, rankers


def test_the_page_and_its_twin_list_every_method_that_ranks_with_its_runs(client: TestClient) -> None:
    listed = {each["name"]: each for each in client.get("/methods.json").json()["methods"]}
    assert {method.name for method in rankers()} <= listed.keys()
    runs = [run["method"] for run in client.get("/runs.json").json()["runs"]]
    for name, each in listed.items():
        assert each["runs"] == runs.count(name), name
        own = client.get(each["runs_url"]).json()["runs"]
        assert [run["method"] for run in own] == [name] * each["runs"], name
    page = BeautifulSoup(client.get("/methods").text, "html.parser")
    rows = {row["id"]: row for row in page.select("tbody tr")}
    assert rows.keys() == listed.keys()
    for name, row in rows.items():
        assert method_of(name).label in row.text
        assert listed[name]["sentence"] in row.text


def test_a_method_has_the_same_class_on_every_page_and_the_stylesheet_has_its_colour(
    client: TestClient,
) -> None:
    sheet = BeautifulSoup(client.get("/").text, "html.parser").find("link", href=re.compile(r"/app\.css"))
    answer = client.get(sheet["href"])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    for method in METHODS.values():
        assert f".{method.css}{{--method:light-dark({', '.join(method.colour)})}}" in answer.text
    for path in ("/methods", "/runs", "/runs/bm25", "/compare/capital-china?runs=trackstar,bm25"):
        assert METHODS["bm25"].css in client.get(path).text, path


def test_a_method_nobody_has_run_is_told_so(client: TestClient) -> None:
    answer = client.get("/runs", params={"method": "<b>walk</b>"})
    assert answer.status_code == 200
    assert "No run uses this method" in answer.text
    assert "<b>walk" not in answer.text
