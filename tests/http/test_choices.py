"""Tasks that choose, on pages and in their twins: what the model takes and by which rule, right and wrong, and why not
the other."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.interchange.results import import_results
from app.store.engine import Store
from tests.support.sites import site

PASSAGES = {
    "proponents": ["Kites are mended with glue.", "Ama likes kites."],
    "proponent_ids": ["a", "b"],
    "proponent_scores": [0.5, 0.25],
    "proponent_halves": [2, 0],
}


def record(
    name: str, label: int, by: str, logs: list[float], tokens: list[int], **more: Any
) -> dict[str, Any]:
    choices = ["mended it.", "ate it, and went on to eat the string."]
    best = max(range(2), key=lambda at: logs[at] / (tokens[at] if by == "token" else 1))
    return {
        "example_id": name,
        "inputs_plaintext": "The kite tore, so Ama",
        "targets_plaintext": choices[label],
        "task": "commonsense",
        "is_8b_correct": best == label,
        "model_answer": choices[best],
        "choices": choices,
        "label": label,
        "weighed_choices": {"by": by, "logs": logs, "tokens": tokens},
        **PASSAGES,
        **more,
    }


RECORDS = [
    record("right", 0, "total", [-2.0, -9.0], [3, 9], contrast=" ate it, and went on to eat the string."),
    record("wrong", 1, "total", [-8.0, -9.0], [3, 9]),
    record("tokens", 1, "token", [-8.0, -9.0], [3, 9]),
]
PROMPT = "/runs/choosing/prompts"


@pytest.fixture
def reader(store: Store, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    path = tmp_path / "choosing.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in RECORDS))
    with store.session() as session:
        import_results(session, path, run="choosing")
    with site(database_url, tmp_path) as client:
        yield client


def rows(client: TestClient, name: str) -> list[list[str]]:
    soup = BeautifulSoup(client.get(f"{PROMPT}/{name}").text, "html.parser")
    return [
        [" ".join(cell.get_text().split()) for cell in row.select("th, td")]
        for row in soup.select(".choices tbody tr")
    ]


def test_each_choice_stands_with_its_probabilities_the_taken_and_the_right_one_marked(
    reader: TestClient,
) -> None:
    assert rows(reader, "right") == [
        ["mended it. the model’s right", "14 %", "51 %", "99.9 %"],
        ["ate it, and went on to eat the string. rather than this", "0.01 %", "37 %", "0.09 %"],
    ]
    assert [row[0] for row in rows(reader, "wrong")] == [
        "mended it. the model’s",
        "ate it, and went on to eat the string. right",
    ]


def test_the_rule_is_said_and_where_the_other_would_take_another(reader: TestClient) -> None:
    said = {
        name: reader.get(f"{PROMPT}/{name}.json").json()["choices"] for name in ("right", "wrong", "tokens")
    }
    assert said["right"]["sentence"] == (
        "By total probability the model takes “mended it.”, 1,097 times as likely as the next."
    )
    assert said["wrong"]["sentence"].endswith(
        "2.72 times as likely as the next. By probability per token it would take “ate it, and went on to eat the string.”."
    )
    assert said["tokens"]["by"] == "token"
    assert said["tokens"]["sentence"].startswith("By probability per token the model takes “ate it")
    assert (
        "as likely as the next per token. By total probability it would take “mended it.”."
        in said["tokens"]["sentence"]
    )
    assert sum(each["share"] for each in said["tokens"]["listed"]) == pytest.approx(1)
    assert [each["chosen"] for each in said["tokens"]["listed"]] == [False, True]


def test_a_contrast_is_part_of_the_heading_and_of_what_is_asked_again(reader: TestClient) -> None:
    said = reader.get(f"{PROMPT}/right.json").json()
    assert said["contrast"] == " ate it, and went on to eat the string."
    assert said["rather_than"] == said["contrast"].strip()
    assert "contrast=+ate+it" in said["trace_url"] or "contrast=%20ate%20it" in said["trace_url"]
    soup = BeautifulSoup(reader.get(f"{PROMPT}/right").text, "html.parser")
    heading = soup.select_one("h1")
    assert heading is not None
    assert "rather than" in heading.get_text()
    assert "gives the truth" not in soup.get_text(), "the other choice is not what is right"
    assert "Token influence" not in soup.get_text(), (
        "the score of a contrast is not one completion's to split"
    )


def test_right_and_wrong_are_counted_and_filtered_as_everywhere(reader: TestClient) -> None:
    listing = reader.get("/prompts.json?run=choosing").json()["listing"]
    assert listing["summary"]["right"] == pytest.approx(2 / 3)
    wrong = reader.get("/prompts.json?run=choosing&right=no").json()["listing"]
    assert [each["slug"] for each in wrong["items"]] == ["wrong"]
    second = reader.get("/prompts.json", params={"run": "choosing", "where": "label = 1 and correct"}).json()
    assert [each["slug"] for each in second["listing"]["items"]] == ["tokens"]


def test_a_prompt_without_choices_has_no_such_table(client: TestClient) -> None:
    assert client.get("/runs/trackstar/prompts/capital-china.json").json()["choices"] is None
    assert 'class="choices"' not in client.get("/runs/trackstar/prompts/capital-china").text


def test_how_firm_a_place_is_stands_on_the_card_in_words(reader: TestClient) -> None:
    """And nothing is said where nobody measured it: of passages of files, of words, beyond the first ten."""
    cards = reader.get(f"{PROMPT}/right.json").json()["proponents"]
    assert [card["halves"] for card in cards] == [2, 0]
    soup = BeautifulSoup(reader.get(f"{PROMPT}/right").text, "html.parser")
    assert [each.get_text() for each in soup.select(".recurs")] == [
        "found by both half-searches",
        "found by neither half-search",
    ]


def test_where_nobody_measured_it_nothing_is_said_of_firmness(client: TestClient) -> None:
    assert {
        card["halves"] for card in client.get("/runs/bm25/prompts/capital-china.json").json()["proponents"]
    } == {None}
    assert "of the projection" not in client.get("/runs/bm25/prompts/capital-china").text
