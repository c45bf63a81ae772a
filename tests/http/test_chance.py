"""What of a list is more than chance: on the page, in its twin, in files, and what is said where nobody knows."""

import csv
import io
import json
from functools import partial
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.interchange.results import import_results
from app.store.engine import Store
from app.store.examples import get_example
from app.web.evidence.cards import Card
from app.web.evidence.chance import guessed, standing
from tests.support.twins import twin

PROMPT = "/runs/trackstar/prompts/capital-china"


@pytest.mark.parametrize("side", ["proponent", "opponent"])
def test_the_list_folds_at_the_floor(client: TestClient, side: str) -> None:
    """What is within chance is one click away, in its place, and no longer stands as evidence."""
    said = twin(client, PROMPT)
    soup = BeautifulSoup(client.get(PROMPT).text, "html.parser")
    column = soup.select_one(".towards" if side == "proponent" else ".away")
    folded = [each["id"] for each in column.select("details.by-chance section.proponent")]
    floor = said["chance_floor" if side == "proponent" else "opponent_chance_floor"]
    within = [
        c for c in said[f"{side}s"] if (c["score"] <= floor if side == "proponent" else c["score"] >= floor)
    ]
    assert folded == [f"{side[0]}{card['rank']}" for card in within]
    assert [card["above_chance"] for card in said[f"{side}s"]] == [
        card not in within for card in said[f"{side}s"]
    ]
    count = said["above_chance" if side == "proponent" else "opponents_beyond_chance"]
    of = said["standing"]["chance"]["passages"]
    if side == "proponent":
        sentence = soup.select_one(".bell-box .stands-out").get_text().strip()
        assert sentence.startswith(f"{count:,} of {of:,} passages" if count else "Nothing ")
    beyond = soup.select_one(f".bell-foot .{'for' if side == 'proponent' else 'against'}")
    assert (beyond.get_text() if beyond else "") == (str(count) if count else "")


@pytest.mark.parametrize(("stepped", "beyond"), [(True, False), (False, True), (False, None)])
def test_what_is_within_chance_is_not_the_first_look(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, stepped: bool, beyond: bool | None
) -> None:
    """A narrow page quotes the first passage before all else, and said right below that nothing stands out."""

    def known(cards: list[Card], *_: object, above: bool | None = beyond, **__: object) -> list[Card]:
        for card in cards:
            card.above_chance, card.after = above, card.after if stepped else None
        return cards

    monkeypatch.setattr("app.web.evidence.cards.with_chance", known)
    assert "first-look" in client.get(PROMPT).text
    monkeypatch.setattr("app.web.evidence.cards.with_chance", partial(known, above=False))
    assert ("first-look" in client.get(PROMPT).text) is stepped


def test_the_twin_has_the_bell_to_draw(client: TestClient) -> None:
    bell = twin(client, PROMPT)["standing"]["chance"]
    assert len(bell["edges"]) == len(bell["counts"]) + 1
    assert sum(bell["counts"]) == bell["sample"]
    assert bell["opponent_floor"] < bell["centre"] < bell["floor"]


def test_where_no_score_tells_the_page_says_why(client: TestClient) -> None:
    for run, why in (("bm25", "adds up the weights of shared words"), ("hostile", "not known")):
        path = twin(client, f"/prompts?run={run}")["listing"]["items"][0]["url"].partition("?")[0]
        said = twin(client, path)
        assert said["chance_floor"] is said["above_chance"] is said["standing"]["chance"] is None
        assert why in client.get(path).text
        assert "by-chance" not in client.get(path).text


def test_files_keep_it(client: TestClient, store: Store, tmp_path: Path) -> None:
    """Out as CSV and as a record, and in again: the floor is no less a result than the scores."""
    said = twin(client, PROMPT)
    rows = list(csv.DictReader(io.StringIO(client.get(f"{PROMPT}.csv").text)))
    assert {float(row["chance_floor"]) for row in rows} == {said["chance_floor"]}
    listed = list(csv.DictReader(io.StringIO(client.get("/prompts.csv?run=trackstar").text)))
    own = next(row for row in listed if row["slug"] == "capital-china")
    assert (float(own["chance_floor"]), int(own["above_chance"])) == (
        said["chance_floor"],
        said["above_chance"],
    )
    (tmp_path / "one.jsonl").write_bytes(client.get(f"{PROMPT}.jsonl").content)
    with store.session() as session:
        run = import_results(session, tmp_path / "one.jsonl", run="again")
        session.flush()
        slug = json.loads((tmp_path / "one.jsonl").read_text())["example_id"]
        result = get_example(session, run, slug, "proponent", limit=1).result
        assert (result.chance_floor, result.above_chance) == (said["chance_floor"], said["above_chance"])
        assert result.chance == said["standing"]["chance"]


def test_a_file_that_says_nonsense_of_chance_is_a_file_that_says_nothing(
    store: Store, tmp_path: Path
) -> None:
    record = {
        "example_id": "a",
        "inputs_plaintext": "The sky is",
        "targets_plaintext": "blue",
        "chance": {"floor": "x"},
    }
    (tmp_path / "odd.jsonl").write_text(json.dumps(record) + "\n")
    with store.session() as session:
        run = import_results(session, tmp_path / "odd.jsonl", run="odd")
        result = get_example(session, run, "a", "proponent", limit=1).result
        assert result.chance is None
        assert result.chance_floor is None
        assert result.extra["chance"] == {"floor": "x"}, "and it goes back out as it came"


@pytest.mark.parametrize(
    ("probability", "said", "guess"),
    [(0.001, "Kyiv", True), (0.001, "New Delhi", False), (0.00001, "New Delhi", True), (0.4, "Kyiv", False),
     (None, "Kyiv", False), (0.0, "", True)],
)  # fmt: skip
def test_a_guess_is_called_one(probability: float | None, said: str, guess: bool) -> None:
    assert guessed(probability, said) is guess
    assert bool(standing(None, "trackstar", probability, said).guess) is guess
