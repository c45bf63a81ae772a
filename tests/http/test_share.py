"""Sharing an example: its card, its citation, and links that still lead somewhere years later."""

from io import BytesIO
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from PIL import Image

from app.store.engine import open_store
from app.store.permalinks import leave_tombstone
from tests.support.seeded import fill
from tests.support.sites import site
from tests.support.twins import twin


@pytest.fixture
def example(client: TestClient) -> str:
    """The address of some example."""
    address: str = twin(client, "/prompts?run=trackstar&task=fact")["listing"]["items"][0]["url"]
    return address.partition("?")[0]


def hostile_examples(client: TestClient) -> list[str]:
    items = twin(client, "/prompts?run=hostile")["listing"]["items"]
    return [item["url"].partition("?")[0] for item in items]


def test_a_shared_link_shows_title_text_and_picture(client: TestClient, example: str) -> None:
    page = BeautifulSoup(client.get(example).text, "html.parser")
    said = {m["property"]: m["content"] for m in page.select("meta[property]")}
    assert said["og:title"].startswith("The ") or said["og:title"]
    assert said["og:description"]
    assert (said["og:image:width"], said["og:image:height"]) == ("1200", "630")
    path = said["og:image"].removeprefix("http://testserver")
    answer = client.get(path)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.content)).size == (1200, 630)
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_every_hostile_example_has_a_card_and_a_citation(client: TestClient) -> None:
    """Null bytes, lone surrogates, scripts and a prompt without passages: nothing of it may break the links."""
    examples = hostile_examples(client)
    assert len(examples) == 3
    for path in examples:
        for suffix in ("/card.png", "/cite", "/cite.bib", "/cite.txt", "/cite.json"):
            assert client.get(path + suffix).status_code == 200, path + suffix
        page = BeautifulSoup(client.get(f"{path}/cite").text, "html.parser")
        assert page.select("main script, main img") == []


def test_the_citation_names_the_permalink_on_page_and_in_files(client: TestClient, example: str) -> None:
    twin = client.get(f"{example}/cite.json").json()
    assert twin["permalink"] == f"http://testserver{example}"
    page = BeautifulSoup(client.get(f"{example}/cite").text, "html.parser")
    text, bibtex = (pre.text for pre in page.select("pre"))
    assert (text, bibtex) == (twin["text"], twin["bibtex"])
    assert client.get(twin["text_url"]).text == text
    assert client.get(twin["bibtex_url"]).text == bibtex
    assert twin["permalink"] in text
    assert twin["permalink"] in bibtex
    assert client.get(twin["permalink"]).status_code == 200


def test_the_operators_public_address_stands_in_citations(filled_url: str, tmp_path: Path) -> None:
    """Behind a proxy the site cannot know its own name."""
    with site(filled_url, tmp_path, base_url="https://star.example/") as client:
        path = twin(client, "/prompts?run=bm25")["listing"]["items"][0]["url"].partition("?")[0]
        assert client.get(f"{path}/cite.json").json()["permalink"] == f"https://star.example{path}"


@pytest.mark.parametrize("suffix", ["", ".json", "/cite", "/card.png"])
def test_other_names_of_an_example_lead_to_its_address(client: TestClient, example: str, suffix: str) -> None:
    """By the id in its file and in any letter case, as page, twin and picture, with the query kept."""
    run, prompt = example.split("/")[2], example.split("/")[4]
    id_ = client.get(f"{example}.json").json()["id"]
    for old in (f"/runs/{run.upper()}/prompts/{prompt}", f"/runs/{run}/prompts/{id_}"):
        answer = client.get(f"{old}{suffix}?view=plain", follow_redirects=False)
        if old == example:
            continue
        assert answer.status_code == 308, old
        assert answer.headers["location"] == f"{example}{suffix}?view=plain"
        assert client.get(f"{old}{suffix}").status_code == 200


def test_what_was_taken_down_answers_gone_with_the_reason(database_url: str, tmp_path: Path) -> None:
    """A link in a paper must not end in a plain 404: the reader learns what happened."""
    with open_store(database_url) as store, store.session() as session:
        fill(session, prompts=4, passages=50)
        leave_tombstone(session, "/runs/old-run", "Withdrawn: the corpus held private mail.")
    with site(database_url, tmp_path) as client:
        for path in ("/runs/old-run", "/runs/old-run/prompts/ghana", "/runs/old-run/prompts/ghana.json"):
            answer = client.get(path)
            assert answer.status_code == 410
            assert "private mail" in answer.text
        assert client.get("/runs/old-run.json").json()["detail"] == "Withdrawn: the corpus held private mail."
        assert client.get("/runs/other-run").status_code == 404


@pytest.mark.parametrize("path", ["card.png", "cite", "cite.bib", "cite.json"])
def test_an_unknown_example_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(f"/runs/bm25/prompts/nowhere/{path}").status_code == 404
    assert client.get(f"/runs/nowhere/prompts/nowhere/{path}").status_code == 404
