"""No term without its meaning: where a page uses one, it links to the place that explains it."""

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.words.glossary import TERMS

PAGES = {
    "/prompts": {"MRR": "mrr", "recall@10": "recall", "AIS": "ais"},
    "/runs": {"MRR": "mrr", "recall@10": "recall"},
    "/compare/capital-china?runs=trackstar,bm25": {"RBO": "rbo"},
    "/runs/trackstar/prompts/capital-china": {"One training step": "step"},
    "/trace": {"Samples": "samples", "Rather than": "contrast"},
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_explains_its_terms_by_links(client: TestClient, path: str) -> None:
    """By links, because what only a mouse can hover over is there neither by keyboard nor by touch."""
    page = BeautifulSoup(client.get(path).text, "html.parser")
    links = {link.get_text().strip(): link["href"] for link in page.select("main a.term")}
    for label, name in PAGES[path].items():
        assert links[label] == f"/glossary#{name}"
    assert not page.select("main [title]:not(iframe)"), "a title is read by a mouse alone"


def test_every_term_has_its_place(client: TestClient) -> None:
    page = BeautifulSoup(client.get("/glossary").text, "html.parser")
    assert [each["id"] for each in page.select("dt")] == list(TERMS)
