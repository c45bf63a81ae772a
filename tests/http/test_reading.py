"""Reading one output: what the page shows is what its twin says, and hostile text stays text."""

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.words.saying import step_words
from tests.support.twins import twin

PROMPT = "/runs/trackstar/prompts/capital-china"
EXAMPLES = (PROMPT, f"{PROMPT}?view=plain", f"{PROMPT}?view=verbatim", "/runs/bm25/prompts/capital-china",
            "/runs/hostile/prompts/attack", "/runs/hostile/prompts/null", "/runs/hostile/prompts/bare")  # fmt: skip


def page(client: TestClient, path: str) -> BeautifulSoup:
    return BeautifulSoup(client.get(path).text, "html.parser")


def lettered(said: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The cards of both sides in the page's order, with the letter that their places begin with."""
    return [("p", card) for card in said["proponents"]] + [("o", card) for card in said["opponents"]]


def minus(text: str) -> str:
    return text.replace("-", "−")


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_page_equals_its_twin_in_ids_order_and_numbers(client: TestClient, path: str) -> None:
    said, soup = twin(client, path), page(client, path)
    cards = [*said["proponents"], *said["opponents"]]
    sections = soup.select("section.proponent")
    assert [section["id"] for section in sections] == [
        f"{letter}{card['rank']}" for letter, card in lettered(said)
    ]
    for section, card in zip(sections, cards, strict=True):
        links = [link["href"] for link in section.select(".meta > a:not(.rank-link)")]
        assert links[0] == f"/passages/{card['passage_id']}"
        first = section.select_one(".rankbox .num").get_text()
        if card["after"] is None:
            assert first == ("estimated" if said["evidence"]["lanes"] else minus(f"{card['score']:,.3f}"))
        else:
            assert first == step_words(card["before"], card["after"])
            assert card["after"] - card["before"] == pytest.approx(card["tail_patch"] / 100)
    assert [item["url"] for item in said["list"]] == [
        link["href"] for link in soup.select("aside .prompt-list a")
    ]


def test_spans_are_characters_of_the_texts_they_belong_to(client: TestClient) -> None:
    said = twin(client, PROMPT)
    assert [said["prompt"][s["start"] : s["end"]] for s in said["spans"] if s["kind"] == "subject"] == [
        "China"
    ]
    for card in said["proponents"]:
        for span in card["spans"]:
            words = card["text"][span["start"] : span["end"]]
            assert words.casefold() == {"subject": "china", "target": "beijing"}[span["kind"]]


@pytest.mark.parametrize("path", EXAMPLES)
def test_marking_words_changes_no_word(client: TestClient, path: str) -> None:
    """What a reader sees is what the passage says, whatever is marked in it."""
    said, soup = twin(client, path), page(client, path)
    for letter, card in lettered(said):
        section = soup.find(id=f"{letter}{card['rank']}")
        shown = section.select(".passage")[-1].get_text()
        text = re.sub("[\x00\ud800-\udfff]", "\ufffd", card["text"])
        if len(text) <= 20_000:
            assert shown == text
        else:
            assert shown.strip("… ") in text


def test_a_script_in_a_passage_is_text(client: TestClient) -> None:
    """In prompt, answer, samples, passages, names of runs and whatever a file brought along."""
    for path in (
        "/runs/hostile/prompts/attack",
        "/runs/hostile",
        "/runs",
        "/prompts?run=hostile",
        "/passages/2065",
    ):
        answer = client.get(path)
        assert "<script>window" not in answer.text
        assert "<img src=x" not in answer.text
        soup = BeautifulSoup(answer.text, "html.parser")
        assert all(tag.get("src", "").startswith("/static/") for tag in soup.find_all("script"))


def test_closing_tags_in_a_passage_close_nothing(client: TestClient) -> None:
    soup = page(client, "/runs/hostile/prompts/attack")
    assert "</mark></p></main>" in soup.find(id="p1").get_text()
    assert soup.main.find(id="p8") is not None


def test_template_language_in_a_passage_is_not_run(client: TestClient) -> None:
    said = page(client, "/runs/hostile/prompts/attack").get_text()
    assert "{{ 7 * 7 }}" in said
    assert "&lt;b&gt;" in said  # as the passage spells it, not a bold


def test_a_long_passage_opens_where_it_matters(client: TestClient) -> None:
    """Of 100,000 characters the reader sees the sentence about the prompt, with a way to the rest."""
    said = twin(client, "/runs/hostile/prompts/attack")
    card = next(card for card in said["proponents"] if len(card["text"]) > 90_000)
    section = page(client, "/runs/hostile/prompts/attack").find(id=f"p{card['rank']}")
    shown = section.select_one(".passage").get_text()
    assert "In Ghana the cedi is what you pay with" in shown
    assert len(shown) < 1_500
    assert section.find("a", string=re.compile("Read all"))["href"] == card["url"]


def test_what_the_file_judged_is_shown(client: TestClient) -> None:
    """Original rank, AIS score and its best window, as the paper's files carry them."""
    first = page(client, "/runs/hostile/prompts/attack").find(id="p1")
    assert "was 4" in first.get_text()
    assert "AIS 0.91" in first.get_text(" ", strip=True)
    assert "".join(mark.get_text() for mark in first.select("mark.window")) == "Ghana pays in cedi"


def test_dots_jump_to_passages_and_stand_where_the_twin_says(client: TestClient) -> None:
    """A dot is where one real step leaves the answer; those of this page's passages lead to them."""
    said, soup = twin(client, PROMPT), page(client, PROMPT)
    lanes = said["evidence"]["lanes"]
    assert [lane["name"] for lane in lanes] == ["for", "words"]
    assert [dot["url"] for dot in lanes[0]["dots"]] == [
        f"#p{card['rank']}" for card in said["proponents"][:5]
    ]
    for lane, drawn in zip(lanes, soup.select(".lanes .dots"), strict=True):
        places = sorted(float(circle["cx"].rstrip("%")) for circle in drawn.select("circle"))
        assert places == pytest.approx(sorted(100 * dot["after"] for dot in lane["dots"]), abs=0.006)
        assert {link["href"] for link in drawn.select("a")} == {dot["url"] for dot in lane["dots"]}
    rows = soup.select(".numbers tbody tr")
    assert len(rows) == sum(len(lane["dots"]) for lane in lanes)
    assert soup.select_one(".verdict").get_text() == said["evidence"]["verdict"]


def test_where_nothing_was_trained_on_the_scores_are_drawn(client: TestClient) -> None:
    """An imported file often has no steps: the page says so, and its passages' scores are what there is to see."""
    said, soup = twin(client, "/runs/hostile/prompts/null"), page(client, "/runs/hostile/prompts/null")
    assert said["evidence"]["lanes"] == []
    assert "No training step" in soup.select_one(".verdict").get_text()
    assert soup.select_one(".lanes") is None
    scores = [each.get_text() for each in soup.select(".rankbox .num")]
    assert scores == [minus(f"{card['score']:,.3f}") for card in said["proponents"]]


def test_phrases_shared_word_for_word_come_longest_first_and_say_how_rare(client: TestClient) -> None:
    said = twin(client, f"{PROMPT}?view=verbatim")
    lengths = [each["words"] for each in said["stretches"]]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] >= 4
    found = client.get("/prompts.json", params={"q": said["stretches"][0]["text"]}).json()["passages"]
    assert 0 < said["stretches"][0]["passages"] <= max(len(found), said["stretches"][0]["passages"])


def test_following_the_list_from_a_prompt_keeps_its_filters(client: TestClient) -> None:
    start = twin(client, "/prompts?task=fact&relation=capital&sort=score")["listing"]["items"]
    here = twin(client, start[1]["url"])
    assert here["previous_url"] == start[0]["url"]
    assert here["next_url"] == start[2]["url"]
    assert here["list_url"] == "/prompts?run=trackstar&task=fact&relation=capital&sort=score"


def test_switching_the_view_keeps_everything_else(client: TestClient) -> None:
    said = twin(client, f"{PROMPT}?task=fact&show=200")
    verbatim = next(view for view in said["views"] if view["label"] == "Verbatim")
    assert verbatim["url"] == f"{PROMPT}?task=fact&view=verbatim&show=200"
    assert twin(client, verbatim["url"])["opponents"]


def test_only_so_many_are_shown_at_once_and_all_can_be(client: TestClient) -> None:
    said = twin(client, f"{PROMPT}?show=3")
    assert len(said["proponents"]) == 3
    assert said["retrieved"] == 12
    more = twin(client, said["more_url"])
    assert len(more["proponents"]) == 12
    assert more["more_url"] is None


def test_sites_that_show_links_get_title_text_and_picture(client: TestClient) -> None:
    soup = page(client, PROMPT)
    image = soup.find("meta", property="og:image")["content"]
    assert image == f"http://testserver{PROMPT}/card.png"
    assert client.get(image).headers["content-type"] == "image/png"
    assert "Beijing" in soup.find("meta", property="og:title")["content"]
    assert soup.find("link", rel="canonical")["href"] == f"http://testserver{PROMPT}"


def test_a_passage_names_every_prompt_it_was_found_for(client: TestClient) -> None:
    first = twin(client, PROMPT)["proponents"][0]
    said, soup = twin(client, first["url"]), page(client, first["url"])
    assert any(each["url"] == f"{PROMPT}#p1" for each in said["found_for"])
    assert [link["href"] for link in soup.select("#list td a.line")] == [
        each["url"] for each in said["found_for"]
    ]
    assert said["total"] == sum(run["prompts"] for run in said["runs"]) == len(said["found_for"])
    of_run = twin(client, said["runs"][0]["url"])
    assert of_run["total"] == said["runs"][0]["prompts"]
    assert soup.select_one("blockquote").get_text() == first["text"]
    assert [each["target"] for each in said["states"]] == ["Beijing"]
    # the prompt's own card says the same number for its run
    here = next(run for run in said["runs"] if run["run"] == "trackstar")
    proponent_of = [e for e in said["found_for"] if e["run"] == here["run"] and e["side"] == "proponent"]
    assert first["found_for"] == len(proponent_of)


def test_the_front_page_tells_the_story_from_the_store(client: TestClient) -> None:
    """The two passages are really first in their runs, differ, and the sentences say why."""
    said, soup = twin(client, "/index"), page(client, "/")
    story = said["story"]
    for part, method in (("influence", "trackstar"), ("attribution", "bm25")):
        example = twin(client, story[part]["url"])
        assert example["method"] == method
        assert example["prompt"] == story["prompt"]
        assert example["proponents"][0]["passage_id"] == story[part]["card"]["passage_id"]
    assert story["influence"]["card"]["passage_id"] != story["attribution"]["card"]["passage_id"]
    assert story["attribution"]["card"]["correct"]
    assert [p.get_text() for p in soup.select(".first .passage")] == [
        story["attribution"]["card"]["text"], story["influence"]["card"]["text"],
    ]  # fmt: skip
    assert [p.get_text() for p in soup.select(".first .big")] == [
        step_words(story[part]["card"]["before"], story[part]["card"]["after"])
        for part in ("attribution", "influence")
    ]
    assert soup.select(".lanes .dots")
    counts = {task["task"]: task["count"] for task in said["tasks"]}
    for task, count in counts.items():
        assert client.get(f"/prompts.json?task={task}").json()["listing"]["total"] == count
    assert set(counts) == {"fact", "commonsense", "arithmetic", "open_ended"}
