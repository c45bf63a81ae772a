"""What leaves the site: frames on other sites' pages, feeds, sitemaps, and what each page says of itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.store.engine import open_store
from app.store.steps import begin, keep, of_result
from app.store.tables import Prompt, Result, Retrieved, Run
from tests.http.test_pages import PAGES
from tests.support.seeded import fill
from tests.support.sites import site, store_of
from tests.support.twins import twin

pytestmark = pytest.mark.slow

ATOM = "{http://www.w3.org/2005/Atom}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
EXAMPLE = "/runs/trackstar/prompts/capital-china"


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[TestClient]:
    """A site where steps were taken for one example: its own first passages help, the one of most words hurts."""
    home = tmp_path_factory.mktemp("stepped")
    shutil.copy(migrated_sqlite, home / "startrail.db")
    store = open_store(f"sqlite:///{home / 'startrail.db'}")
    with store.session() as session:
        fill(session, prompts=12, passages=200)
        result = session.scalars(
            select(Result).join(Run).join(Prompt, Prompt.id == Result.prompt_id)
            .where(Run.slug == "trackstar", Prompt.slug == "capital-china")
        ).one()  # fmt: skip
        found = select(Retrieved.passage_id).where(
            Retrieved.result_id == result.id, Retrieved.side == "proponent"
        )
        ids = list(session.scalars(found.order_by(Retrieved.rank)))
        lanes = {"for": ids[:3], "words": ids[3:5], "random": ids[5:7]}
        steps = begin(
            session,
            of_result(result.id),
            "k",
            before=0.4,
            settings={"optimizer": "adafactor", "learning_rate": 0.01},
            lanes=lanes,
        )
        keep(
            session,
            steps,
            {id_: 0.9 if id_ in ids[:3] else 0.1 if id_ in ids[3:5] else 0.41 for id_ in ids[:7]},
        )
    store.engine.dispose()
    with site(f"sqlite:///{home / 'startrail.db'}", home) as client:
        yield client


def test_a_comparison_reads_what_a_page_had_taken(stepped: TestClient) -> None:
    """It knew only what runs were evaluated with, and was empty where the page of either run was full."""
    page = stepped.get("/compare/capital-china.json?runs=trackstar,bm25").json()
    lanes = {lane["label"]: lane for lane in page["evidence"]["lanes"]}
    ends = [(dot["rank"], dot["after"]) for dot in lanes["TrackStar"]["dots"]]
    assert page["evidence"]["before"] == 0.4
    assert ends[:5] == [(1, 0.9), (2, 0.9), (3, 0.9), (4, 0.1), (5, 0.1)]
    assert [dot["after"] for dot in lanes["Two random passages"]["dots"]] == [0.41, 0.41]
    assert (
        stepped.get("/compare/capital-china/card.png?runs=trackstar,bm25").headers["content-type"]
        == "image/png"
    )


def test_a_passage_tells_what_a_step_on_it_did(stepped: TestClient) -> None:
    page = stepped.get("/runs/trackstar/prompts/capital-china.json").json()
    first = page["proponents"][0]["passage_id"]
    moved = stepped.get(f"/passages/{first}.json").json()["moved"]
    assert (moved[0]["before"], moved[0]["after"]) == (0.4, 0.9), "the one that it moved furthest comes first"


def test_evidence_may_be_framed_and_nothing_else(stepped: TestClient) -> None:
    """A page that other sites may frame must not be one on which a click does something."""
    framed = stepped.get(f"{EXAMPLE}?embed=1")
    policy = framed.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script-src 'self'" in policy
    page = BeautifulSoup(framed.text, "html.parser")
    assert not page.select("form, script, button, nav")
    assert page.base["target"] == "_top"
    assert page.select("figure.lanes circle")
    for other in (
        "/prompts?embed=1",
        "/trace?embed=1",
        EXAMPLE,
        f"{EXAMPLE}?embed=0",
        f"{EXAMPLE}/cite?embed=1",
        "/nowhere?embed=1",
    ):
        assert "frame-ancestors 'none'" in stepped.get(other).headers["content-security-policy"], other


def test_links_of_a_frame_lead_to_the_page(stepped: TestClient) -> None:
    page = BeautifulSoup(stepped.get(f"{EXAMPLE}?embed=1").text, "html.parser")
    for link in page.select("a[href]"):
        assert stepped.get(urlsplit(link["href"]).path).status_code == 200, link


def test_oembed_gives_a_frame_of_the_page_that_names_it(stepped: TestClient) -> None:
    page = BeautifulSoup(stepped.get(EXAMPLE).text, "html.parser")
    found = page.select_one('link[type="application/json+oembed"]')["href"].removeprefix("http://testserver")
    said = stepped.get(found).json()
    assert (said["type"], said["version"]) == ("rich", "1.0")
    frame = BeautifulSoup(said["html"], "html.parser").iframe
    assert frame["src"] == f"http://testserver{EXAMPLE}?embed=1"
    assert stepped.get(frame["src"]).status_code == 200
    assert (int(frame["width"]), int(frame["height"])) == (said["width"], said["height"])
    narrow = stepped.get(f"{found}&maxwidth=400&maxheight=300").json()
    assert (narrow["width"], narrow["height"]) == (400, 300)


@pytest.mark.parametrize(
    ("url", "status"),
    [("http://elsewhere.example/runs/trackstar/prompts/capital-china", 404), ("http://testserver/about", 404), ("", 404),
     ("http://testserver/runs/nowhere/prompts/x", 404), ("javascript:alert(1)", 404),
     (f"http://testserver{EXAMPLE}&format=xml", 422)],
)  # fmt: skip
def test_oembed_knows_its_own_evidence_only(stepped: TestClient, url: str, status: int) -> None:
    assert stepped.get(f"/oembed?url={url}").status_code == status


def test_finds_are_what_was_measured(stepped: TestClient) -> None:
    """The passage of most words that made the answer less likely is a find; the random ones are none."""
    shelves = {shelf["kind"]: shelf["items"] for shelf in stepped.get("/finds.json").json()["shelves"]}
    misled = shelves["words-mislead"]
    assert [(each["before"], each["after"]) for each in misled] == [(0.4, 0.1)]
    assert "down by 30 points" in misled[0]["sentence"]
    assert misled[0]["url"] == f"{EXAMPLE}.json"
    for each in shelves.get("taught-by-another", []):
        assert each["after"] > each["before"]
        assert EXAMPLE not in stepped.get(f"/passages/{each['passage_id']}.json").json()["states"]


def test_finds_follow_an_evaluation(stepped: TestClient) -> None:
    """A run that is evaluated brings finds at once, on the page and in the feed."""
    before = len(ElementTree.fromstring(stepped.get("/finds.atom").content))
    with store_of(stepped).session() as session:
        run = session.scalars(select(Run).where(Run.slug == "bm25")).one()
        results = list(session.scalars(select(Result.id).where(Result.run_id == run.id)))
        session.execute(update(Result).where(Result.id.in_(results)).values(tail_patch=-9.0))
        session.execute(
            update(Retrieved)
            .where(Retrieved.result_id.in_(results), Retrieved.rank == 1)
            .values(tail_patch=-9.0)
        )
        run.metrics = {**run.metrics, "evaluated_at": "2026-11-28T12:00:00"}
    assert len(ElementTree.fromstring(stepped.get("/finds.atom").content)) > before
    assert len(stepped.get("/finds/words-mislead.json").json()["shelves"][0]["items"]) > 1


def test_the_feed_is_atom(client: TestClient) -> None:
    answer = client.get("/finds.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ElementTree.fromstring(answer.content)
    assert feed.tag == f"{ATOM}feed"
    for name in ("id", "title", "updated", "author"):
        assert feed.find(ATOM + name) is not None
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")]
    assert ids
    assert len(ids) == len(set(ids))
    again = client.get("/finds.atom", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_every_address_of_the_sitemaps_is_a_page_and_every_example_is_among_them(client: TestClient) -> None:
    index = ElementTree.fromstring(client.get("/sitemap.xml").content)
    maps = [each.text.removeprefix("http://testserver") for each in index.iter(f"{MAP}loc")]
    found = [
        loc.text
        for path in maps
        for loc in ElementTree.fromstring(client.get(path).content).iter(f"{MAP}loc")
    ]
    paths = {each.removeprefix("http://testserver") for each in found}
    assert len(paths) == len(found)
    runs = [run["slug"] for run in client.get("/runs.json").json()["runs"]]
    for run in runs:
        items = twin(client, f"/prompts?run={run}")["listing"]["items"]
        assert {each["url"].partition("?")[0] for each in items} <= paths
    for path in sorted(paths)[::7]:
        assert client.get(path, follow_redirects=False).status_code == 200, path
    assert client.get("/sitemap-99.xml").status_code == 404


def test_crawlers_are_told_what_to_leave_alone(client: TestClient) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    assert "Disallow: /*?" in lines
    assert "Sitemap: http://testserver/sitemap.xml" in lines
    assert client.get("/favicon.ico").content[:4] == b"\0\0\1\0"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_what_it_is_and_where_its_twin_is(client: TestClient, path: str) -> None:
    page = BeautifulSoup(client.get(path).text, "html.parser")
    assert 10 <= len(page.select_one('meta[name="description"]')["content"].strip()) <= 320
    twin = page.select_one('link[rel="alternate"][type="application/json"]')
    if twin is None:
        assert path == "/healthz"
    else:
        assert client.get(twin["href"]).json()["title"]
    picture = page.select_one('meta[property="og:image"]')
    if picture:
        address = picture["content"].removeprefix("http://testserver")
        assert client.get(address).headers["content-type"] == "image/png"


def test_addresses_carry_the_path_below_which_a_proxy_shows_the_site(filled_url: str, tmp_path: Path) -> None:
    with site(filled_url, tmp_path, base_url="https://lab.example/star") as client:
        assert "Sitemap: https://lab.example/star/sitemap.xml" in client.get("/star/robots.txt").text
        assert "https://lab.example/star/runs" in client.get("/star/sitemap-0.xml").text
        page = BeautifulSoup(client.get(f"/star{EXAMPLE}").text, "html.parser")
        assert (
            page.select_one('meta[property="og:image"]')["content"]
            == f"https://lab.example/star{EXAMPLE}/card.png"
        )
