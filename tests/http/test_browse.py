"""Browsing: what the facets promise is what the list holds, and paging meets every prompt once."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from fastapi.testclient import TestClient

from app.words.saying import percentage
from tests.support.twins import twin

QUERIES = (
    "/prompts",
    "/prompts?task=fact",
    "/prompts?task=fact&right=no",
    "/prompts?right=yes&sort=frequency",
    "/prompts?q=capital",
    "/prompts?where=confidence+%3E%3D+0.5+and+correct",
    "/prompts?run=bm25&stated=yes&sort=probability",
    "/runs/dense?confidence=low&sort=tail-patch",
)


def listing(client: TestClient, path: str) -> dict[str, Any]:
    answer: dict[str, Any] = twin(client, path)["listing"]
    return answer


def page(client: TestClient, path: str) -> BeautifulSoup:
    return BeautifulSoup(client.get(path).text, "html.parser")


def rows(soup: BeautifulSoup) -> list[Tag]:
    return soup.select(".list-column .prompt-list li")


@pytest.mark.parametrize("path", QUERIES)
def test_the_list_and_its_twin_say_the_same(client: TestClient, path: str) -> None:
    """Ids, order and numbers."""
    twin, soup = listing(client, path), page(client, path)
    assert [row.a["href"] for row in rows(soup)] == [item["url"] for item in twin["items"]]
    for row, item in zip(rows(soup), twin["items"], strict=True):
        assert item["target"] in row.get_text()
        if item["top_score"] is not None:
            assert f"{item['top_score']:,.3f}".replace("-", "−") in row.get_text()
        if item["probability"] is not None:
            assert f"{percentage(item['probability'])} likely" in row.get_text()
    assert soup.select_one(".sentence b").get_text() == twin["sentence"]
    shown = {
        section.h2.get_text(): [li.get_text(" ", strip=True) for li in section.select("li > a")]
        for section in soup.select(".facets section")
    }
    promised = {
        facet["label"]: [f"{choice['label']} {choice['count']:,}" for choice in facet["choices"]]
        for facet in twin["facets"]
    }
    assert shown == promised


@pytest.mark.parametrize("path", QUERIES)
def test_every_facet_count_is_what_choosing_it_gives(client: TestClient, path: str) -> None:
    """A count that lies is worse than none."""
    for facet in listing(client, path)["facets"]:
        for choice in facet["choices"][:4]:
            if not choice["chosen"]:
                assert listing(client, choice["url"])["total"] == choice["count"], choice


def test_the_counts_beside_the_runs_are_those_of_their_lists(client: TestClient) -> None:
    answer = twin(client, "/prompts?task=fact&right=yes")
    assert len(answer["runs"]) == 4
    for run in answer["runs"]:
        assert listing(client, run["url"])["total"] == run["prompts"]


@pytest.mark.parametrize("sort", ["", "frequency", "rare", "score", "probability", "tail-patch"])
def test_paging_meets_every_prompt_once_in_either_direction(
    client: TestClient, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyset pages neither skip nor repeat, ties in the sorted value included."""
    monkeypatch.setattr("app.store.browse.PAGE_SIZE", 7)
    first = listing(client, f"/prompts?sort={sort}" if sort else "/prompts")
    assert first["first_url"] is None
    seen, at = [item["slug"] for item in first["items"]], first
    while at["next_url"]:
        at = listing(client, at["next_url"])
        assert at["back_url"]
        assert at["first_url"]
        seen += [item["slug"] for item in at["items"]]
    assert len(seen) == len(set(seen)) == first["total"]
    last = listing(client, first["last_url"])
    assert last["items"] == at["items"]
    assert last["next_url"] is None
    back, at = [item["slug"] for item in last["items"]], last
    while at["back_url"]:
        at = listing(client, at["back_url"])
        back = [item["slug"] for item in at["items"]] + back
    assert back == seen
    assert listing(client, at["first_url"] or "/prompts?" + f"sort={sort}")["items"] == first["items"]


@pytest.mark.parametrize(
    ("sort", "field", "down"), [("score", "top_score", True), ("rare", "frequency", False)]
)
def test_the_order_is_the_one_asked_for(client: TestClient, sort: str, field: str, down: bool) -> None:
    values = [item[field] for item in listing(client, f"/prompts?sort={sort}&task=fact")["items"]]
    assert values == sorted(values, reverse=down)


def test_the_sentence_says_in_english_what_is_shown(client: TestClient) -> None:
    said = listing(client, "/prompts?task=fact&relation=capital&right=yes&q=capital&sort=score")["sentence"]
    assert re.fullmatch(
        r"\d+ facts? about capital that the model answers right containing “capital”"
        r" in TrackStar, highest score first\.",
        said,
    )
    expression = listing(client, "/prompts?where=not+correct")["sentence"]
    assert "prompts the model got wrong in TrackStar." in expression


def test_an_empty_list_says_which_filter_to_drop(client: TestClient) -> None:
    soup = page(client, "/prompts?task=arithmetic&relation=capital")
    said = soup.select_one(".empty")
    assert "No prompt of this run fits." in said.get_text()
    offers = {link.get_text(): link["href"] for link in said.select("a")}
    assert set(offers) == {"Drop “task: Arithmetic”", "Drop “relation: capital”"}
    for text, url in offers.items():
        promised = re.search(r"to see (\d+) prompt", said.find("a", string=text).parent.get_text())
        assert listing(client, url)["total"] == int(promised[1]) > 0


def test_when_no_single_filter_is_to_blame_all_can_be_dropped(client: TestClient) -> None:
    said = page(client, "/prompts?q=zyzzyva&where=probability+%3E+1").select_one(".empty")
    assert said.a["href"] == "/prompts"


def test_words_are_found_in_prompts_answers_and_passages(client: TestClient) -> None:
    answer = client.get("/prompts.json?q=Beijing").json()
    assert any("Beijing" in item["target"] for item in answer["listing"]["items"])
    assert answer["passages"]
    for passage in answer["passages"]:
        spans = [passage["text"][span["start"] : span["end"]] for span in passage["spans"]]
        assert "Beijing" in spans
    wrong = listing(client, "/prompts?q=something+else")
    assert wrong["total"] > 0
    assert all(item["answer"] == "something else" for item in wrong["items"])


@pytest.mark.parametrize("words", ['"', "* OR", "a' --", "capital)", "NEAR(a b)", "𝕳", "\x00", "%25"])
def test_a_search_is_words_and_never_a_command(client: TestClient, words: str) -> None:
    assert client.get("/prompts", params={"q": words}).status_code == 200


def test_a_prompt_by_its_number_and_one_by_chance(client: TestClient) -> None:
    items = listing(client, "/prompts?task=fact&sort=score")["items"]
    third = client.get("/go?run=trackstar&task=fact&sort=score&n=3", follow_redirects=False)
    assert third.status_code == 303
    assert third.headers["location"] == items[2]["url"]
    assert client.get("/go?run=trackstar&task=fact&n=100000").status_code == 404
    known = {item["slug"] for item in listing(client, "/prompts?task=fact")["items"]}
    for _ in range(5):
        drawn = client.get("/random?run=trackstar&task=fact", follow_redirects=False)
        assert drawn.headers["cache-control"] == "no-store"
        assert re.search(r"/prompts/([^?]+)", drawn.headers["location"])[1] in known


def test_the_numbers_of_a_list_are_those_of_its_prompts(client: TestClient) -> None:
    """The summary covers the whole list, so a list of one page can be added up by hand."""
    answer = listing(client, "/prompts?task=fact&relation=capital")
    assert answer["total"] == len(answer["items"])
    ranks = [item["first_correct_rank"] for item in answer["items"]]
    summary = answer["summary"]
    assert summary["mrr"] == pytest.approx(sum(1 / rank for rank in ranks if rank) / len(ranks))
    assert summary["recall_at_10"] == pytest.approx(
        sum(bool(rank and rank <= 10) for rank in ranks) / len(ranks)
    )
    lists = [
        client.get(f"{item['url'].partition('?')[0]}.json").json()["proponents"] for item in answer["items"]
    ]
    hits = [sum(bool(card["correct"]) for card in cards if card["rank"] <= 10) for cards in lists]
    assert summary["precision_at_10"] == pytest.approx(sum(hits) / 10 / len(ranks)) != 0
    assert summary["right"] == pytest.approx(sum(item["correct"] for item in answer["items"]) / len(ranks))
    patches = [item["tail_patch"] for item in answer["items"]]
    assert summary["tail_patch"] == pytest.approx(sum(patches) / len(patches))


def test_the_facets_are_counted_anew_when_the_model_answers_anew(database_url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]  # what fixtures are is said where they are made
    """What is remembered about a run must not outlive it."""
    from app.store.engine import open_store
    from app.store.models import get_model, put_outputs
    from app.store.prompts import get_prompt_set, list_prompts
    from tests.support.seeded import fill
    from tests.support.sites import site, store_of

    with open_store(database_url) as store, store.session() as session:
        fill(session, prompts=10, passages=200, k=3)
    with site(database_url, tmp_path) as client:
        assert 0 < listing(client, "/prompts?right=yes")["total"] < 10
        with store_of(client).session() as session:
            prompts = list_prompts(session, get_prompt_set(session, "demo").id)
            model = get_model(session, "demo-4m")
            answers = [
                {"prompt_id": p.id, "answer": p.target, "correct": True, "samples": []} for p in prompts
            ]
            put_outputs(session, model.id, answers)
        assert listing(client, "/prompts?right=yes")["total"] == len(prompts)
