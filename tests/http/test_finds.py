"""`/finds/mistakes`: where a reader meets the model's errors, all of them and nothing else."""

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from tests.support.twins import as_page


def test_every_wrong_answer_of_the_run_is_there_once_with_what_was_right(client: TestClient) -> None:
    """The demo's mistakes were only to be found by a filter, and then by what would have been right."""
    wrong = client.get("/prompts.json?run=trackstar&right=no").json()["listing"]
    page = client.get("/finds/mistakes.json?run=trackstar").json()
    assert page["total"] == wrong["total"] == len(page["items"])
    assert {each["truth"] for each in page["items"]} == {each["target"] for each in wrong["items"]}
    assert all(each["said"] != each["truth"] for each in page["items"])
    right = client.get("/prompts.json?run=trackstar&right=yes").json()["listing"]["total"]
    assert page["judged"] == right + page["total"]
    shown = BeautifulSoup(client.get("/finds/mistakes?run=trackstar").text, "html.parser")
    rows = shown.select("tbody tr")
    assert [row.select_one("a")["href"] for row in rows] == [as_page(each["url"]) for each in page["items"]]
    assert f"{page['total']}" in shown.select_one(".lead").text


def test_the_list_of_prompts_leads_to_its_mistakes(client: TestClient) -> None:
    shown = BeautifulSoup(client.get("/prompts?run=bm25").text, "html.parser")
    (link,) = [each for each in shown.select("a") if each.text == "Mistakes"]
    assert link["href"] == "/finds/mistakes?run=bm25"
    assert client.get(link["href"]).status_code == 200


def test_a_run_that_is_not_there_is_named(client: TestClient) -> None:
    assert client.get("/finds/mistakes?run=trakstar").status_code == 404
