"""What a first visit costs: the bytes over the wire, compressed, of a page and all it loads."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.store.engine import Store
from tests.support.seeded import fill
from tests.support.sites import site

BUDGET = 60 * 1024


@pytest.fixture
def reader(store: Store, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    with store.session() as session:
        fill(session, prompts=40, passages=800, k=20)
    with site(database_url, tmp_path) as opened:
        yield opened


def first_visit(client: TestClient, path: str) -> dict[str, int]:
    """Bytes by address. The font that the page preloads counts like its scripts and styles."""

    def size(address: str) -> int:
        with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.status_code == 200
            return sum(len(piece) for piece in answer.iter_raw())

    page = BeautifulSoup(client.get(path).text, "html.parser")
    found = {path: size(path)}
    for tag in page.select("link[rel=stylesheet], link[rel=preload], link[rel=icon], script[src], img[src]"):
        address = urljoin(f"http://testserver{path}", tag.get("href") or tag["src"])
        assert urlsplit(address).netloc == "testserver"  # nothing is loaded from anybody else
        found[address] = size(address)
    return found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "path",
    ["/runs/trackstar/prompts/capital-china", "/runs/hostile/prompts/attack", "/prompts", "/", "/about"],
)
def test_a_first_visit_stays_under_sixty_kilobytes(reader: TestClient, path: str) -> None:
    weights = first_visit(reader, path)
    assert sum(weights.values()) <= BUDGET, weights


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_switch_of_view_sends_only_the_passages(reader: TestClient) -> None:
    path = "/runs/trackstar/prompts/capital-china?view=verbatim"
    whole = len(reader.get(path).content)
    part = len(reader.get(path, headers={"HX-Request": "true"}).content)
    assert part < 0.8 * whole
