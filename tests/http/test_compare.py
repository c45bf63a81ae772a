"""Comparing runs: the page, its JSON twin, and the list of prompts where two runs differ most."""

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from tests.support.sites import counted, store_of
from tests.support.twins import as_page


def soup(client: TestClient, url: str) -> BeautifulSoup:
    answer = client.get(url)
    assert answer.status_code == 200, answer.text[:500]
    return BeautifulSoup(answer.text, "html.parser")


@pytest.fixture
def prompt(client: TestClient) -> str:
    """The name of the prompt on which TrackStar and BM25 differ most."""
    return client.get("/compare.json?runs=trackstar,bm25").json()["rows"][0]["slug"]


def test_the_page_equals_its_twin_in_ranks_passages_and_order(client: TestClient, prompt: str) -> None:
    url = f"/compare/{prompt}?runs=trackstar,bm25,dense"
    twin = client.get(url.replace("?", ".json?")).json()
    page = soup(client, url)
    for side, section in zip(twin["sides"], page.select(".side"), strict=True):
        shown = [
            (int(li.select_one(".rank").text), li.select_one('a[href^="/passages/"]')["href"])
            for li in section.select("li")
        ]
        assert shown == [(p["rank"], as_page(p["url"])) for p in side["proponents"]]
    assert [s["run"]["slug"] for s in twin["sides"]] == ["trackstar", "bm25", "dense"]


def test_what_is_said_of_a_passage_elsewhere_is_true(client: TestClient, prompt: str) -> None:
    """Every rank named beside a passage is its rank in that run; `only here` means no run has it at all."""
    twin = client.get(f"/compare/{prompt}.json?runs=trackstar,bm25&depth=50").json()
    a, b = ({p["passage_id"]: p for p in side["proponents"]} for side in twin["sides"])
    for here, there in ((a, b), (b, a)):
        for id_, p in here.items():
            assert p["elsewhere"][0]["rank"] == (there[id_]["rank"] if id_ in there else None)
            assert p["only_here"] == (id_ not in there)
    pair = twin["pairs"][0]
    assert pair["shared"] == len(a.keys() & b.keys())
    assert 0 <= pair["overlap"] <= 1


def test_every_address_on_the_page_leads_somewhere(client: TestClient, prompt: str) -> None:
    page = soup(client, f"/compare/{prompt}?runs=trackstar,bm25")
    for link in page.select("main a[href]"):
        if link["href"].startswith("#"):
            assert page.find(id=link["href"][1:]), link
        else:
            assert client.get(link["href"]).status_code == 200, link


def test_without_runs_the_prompts_own_are_compared(client: TestClient, prompt: str) -> None:
    answer = client.get(f"/compare/{prompt}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == f"/compare/{prompt}?runs=trackstar,bm25"
    assert client.get(f"/compare/{prompt}.json?runs=bm25").json()["sides"][0]["run"]["slug"] == "bm25"


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/compare/{prompt}?runs=trackstar,nowhere", 404, "nowhere"),
        ("/compare/{prompt}?runs=trackstar,trackstar", 422, "2 to 4"),
        ("/compare/{prompt}?runs=trackstar,bm25&depth=7", 422, "5, 10, 20, 50"),
        ("/compare/no-such-prompt?runs=trackstar,bm25", 404, "no-such-prompt"),
        ("/compare/no-such-prompt", 404, "no-such-prompt"),
        ("/compare/%00?runs=trackstar,bm25", 404, "no prompt"),
        ("/compare?runs=trackstar,%00", 404, "no run"),
        ("/compare?runs=trackstar,bm25,dense", 422, "two runs at a time"),
        ("/compare?runs=trackstar,bm25&after=x", 422, "no place"),
        ("/compare?runs=trackstar,bm25&after=².²", 422, "no place"),
    ],
)
def test_what_cannot_be_compared_is_said_as_page_and_as_problem(
    client: TestClient, prompt: str, url: str, status: int, said: str
) -> None:
    url = url.format(prompt=prompt)
    page = client.get(url)
    problem = client.get(url.replace("?", ".json?") if "?" in url else f"{url}.json")
    assert (page.status_code, problem.status_code) == (status, status)
    assert problem.headers["content-type"] == "application/problem+json"
    body = problem.json()
    assert said in body["detail"] + body["remedy"]


def test_prompts_are_listed_from_most_different_to_most_alike(client: TestClient) -> None:
    twin = client.get("/compare.json?runs=trackstar,bm25").json()
    shared = [row["shared"] / row["of"] for row in twin["rows"]]
    assert shared == sorted(shared)
    assert sum(twin["counts"]) == twin["total"] == len(shared)
    page = soup(client, "/compare?runs=trackstar,bm25")
    assert [a["href"] for a in page.select(".differ .prompt a")] == [
        as_page(row["url"]) for row in twin["rows"]
    ]
    row = twin["rows"][0]
    pair = client.get(row["url"]).json()["pairs"][0]
    assert (pair["shared"], pair["of"]) == (row["shared"], row["of"]), (
        "the list and the page of one prompt count alike"
    )


def test_runs_without_a_common_prompt_say_so(client: TestClient) -> None:
    page = soup(client, "/compare?runs=trackstar,hostile")
    assert "no prompt in common" in page.select_one("main").text


def test_the_form_leads_to_the_canonical_address(client: TestClient) -> None:
    """The form works without scripts, and two ways to ask give one address to share."""
    page = soup(client, "/compare")
    assert {o["value"] for o in page.select("select option")} >= {"trackstar", "bm25", "dense", "hostile"}
    answer = client.get("/compare?runs=trackstar&runs=bm25", follow_redirects=False)
    assert answer.headers["location"] == "/compare?runs=trackstar,bm25"


def test_queries_do_not_grow_with_what_is_shown(client: TestClient, prompt: str) -> None:
    def cost(url: str) -> int:
        with counted(store_of(client)) as statements:
            assert client.get(url).status_code == 200
        return len(statements)

    few, many = (cost(f"/compare/{prompt}?runs=trackstar,bm25&depth={depth}") for depth in (5, 50))
    assert few == many <= 11
    assert cost("/compare?runs=trackstar,bm25") <= 7  # two of them by what may be seen


def test_hostile_text_stays_text(client: TestClient) -> None:
    """Titles, prompts and run names that are attacks are shown as they are, and run nothing."""
    for url in ("/compare", "/compare?runs=trackstar,hostile"):
        page = soup(client, url)
        assert page.select("main script, main img") == []
        assert "<script>window.owned" in page.select_one("main").text


def test_each_method_has_its_lane_and_what_only_it_found_has_its_worth(
    client: TestClient, prompt: str
) -> None:
    """One plot for all: a dot is what one real step did, and the words are of the dots that no other run has."""
    url = f"/compare/{prompt}?runs=trackstar,bm25"
    twin, page = client.get(url.replace("?", ".json?")).json(), soup(client, url)
    evidence = twin["evidence"]
    drawn = page.select(".lanes .dots")
    assert len(drawn) == len(evidence["lanes"])
    for lane, row in zip(evidence["lanes"], drawn, strict=True):
        places = sorted(float(circle["cx"].rstrip("%")) for circle in row.select("circle"))
        assert places == pytest.approx(sorted(100 * dot["after"] for dot in lane["dots"]), abs=0.006)
    told = [item.get_text(" ", strip=True) for item in page.select(".overlaps li")]
    for side in twin["sides"]:
        assert any(item.startswith(side["said"]) for item in told)
        lane = next((each for each in evidence["lanes"] if each["label"] == side["run"]["name"]), None)
        alone = {card["passage_id"] for card in side["proponents"] if card["only_here"]}
        measured = [dot for dot in lane["dots"] if dot["passage_id"] in alone] if lane else []
        assert ("the answer" in side["said"]) == bool(measured)
