"""A model with several states is one model with steps: its page shows what it rests on at each, a passage's since when it did."""

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from tests.support.twins import as_page


def test_a_model_shows_its_states_and_each_is_a_link(evaluation: TestClient) -> None:
    page = BeautifulSoup(evaluation.get("/models/atlas-1m").text, "html.parser")
    states = page.select("#steps ~ nav.states")[0].select("a")
    assert [each.get("aria-current") for each in states][-1] == "true", "it opens on the finished model"
    earlier = BeautifulSoup(evaluation.get(states[0]["href"]).text, "html.parser")
    chosen = earlier.select("nav.states a[aria-current]")[0]
    assert chosen.get_text(" ", strip=True).split()[0] == states[0].get_text(" ", strip=True).split()[0]


def test_the_numbers_are_those_of_the_runs(evaluation: TestClient) -> None:
    over = evaluation.get("/models/atlas-1m.json").json()["over"]
    by_method = {each["method"]: each for each in over}
    assert {"TrackStar", "BM25"} <= set(by_method)
    for state in by_method["TrackStar"]["states"]:
        assert 0 < state["mrr"] <= 1
        assert evaluation.get(state["run_url"]).status_code == 200
    first = by_method["BM25"]["passages"][0]
    assert len(first["stood"]) == len(by_method["BM25"]["states"])
    assert max(each["prompts"] for each in first["stood"]) > 0


def test_a_checkpoints_own_page_shows_the_whole_training(evaluation: TestClient) -> None:
    whole = evaluation.get("/models/atlas-1m.json").json()["over"]
    names = [state["model"] for state in whole[0]["states"]]
    assert names[-1] == "atlas-1m"
    own = evaluation.get(f"/models/{names[0]}.json").json()["over"]
    assert [state["model"] for state in own[0]["states"]] == names


def test_a_passage_says_since_when_it_matters(evaluation: TestClient) -> None:
    over = evaluation.get("/models/atlas-1m.json").json()["over"]
    row = over[0]["passages"][0]
    since = next(each["label"] for each in row["stood"] if each["prompts"])
    page = evaluation.get(as_page(row["url"]))
    found = evaluation.get(row["url"]).json()
    told = [each for each in found["began"] if each["method"] == over[0]["method"]]
    assert [each["since"] for each in told] == [since]
    assert "When it began to matter" in page.text


def test_a_model_of_one_state_says_nothing_of_steps(evaluation: TestClient) -> None:
    """Nothing is shown where there is nothing to compare."""
    for each in evaluation.get("/models.json").json()["items"]:
        if not each["name"].startswith("atlas-1m"):
            assert evaluation.get(each["url"]).json()["over"] == []
