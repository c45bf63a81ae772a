"""`/truth`: the figures of leaving out as a reader gets them, from which anybody can work them out again."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.truth.agreement import agreement
from app.truth.outcome import write_outcome
from tests.support.outcomes import PROMPTS, outcome
from tests.support.sites import site, store_of


@pytest.fixture(scope="module")
def reader(filled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("truth")
    write_outcome(outcome(20), home / "truth" / "demo.json.gz")
    write_outcome(outcome(3), home / "truth" / "few.json.gz")
    (Path(home) / "truth" / ".demo.json.gz.1.partial").write_bytes(b"half")
    with site(filled_url, home) as opened:
        yield opened
        store_of(opened).engine.dispose()


def test_the_json_has_each_methods_figures_under_the_promised_names(reader: TestClient) -> None:
    page = reader.get("/truth.json").json()
    names = {"method", "lds", "lds_low", "lds_high", "qld", "qld_low", "qld_high"}
    assert all(each.keys() == names for each in page["methods"])
    assert [each["method"] for each in page["methods"]] == ["ekfac", "bm25", "random"]
    assert (page["trainings"], page["qld_trainings"]) == (20, 2)
    assert page["methods"][1]["qld"] is None
    assert page["about"]["command"] == "startrail truth"


def test_the_export_gives_the_page_again(reader: TestClient) -> None:
    page = reader.get("/truth.json").json()
    rows = list(csv.DictReader(io.StringIO(reader.get(page["export_url"]).text)))
    assert len(rows) == 20 * PROMPTS

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows]).reshape(20, PROMPTS)

    for each in page["methods"]:
        again = agreement({"": column(each["method"])}, column("measured"))[""]
        assert again == pytest.approx(each["lds"], abs=1e-3), each["method"]


def test_the_page_says_how_many_trainings_who_is_apart_and_how_to_repeat_it(reader: TestClient) -> None:
    text = BeautifulSoup(reader.get("/truth").text, "html.parser").get_text(" ", strip=True)
    for said in (
        "20 trainings",
        "can be told apart",
        "either half",
        "default_rng([ 0 , n])",
        "EK-FAC over all",
        "Margins fall further than without as many random passages: without EK-FAC over all’s (1.50 more)",
    ):
        assert said.replace(" ", "") in text.replace(" ", ""), said


def test_too_few_trainings_are_said_to_be_few(reader: TestClient) -> None:
    assert reader.get("/truth.json?of=few").json()["methods"] == []
    assert "3 trainings are done" in reader.get("/truth?of=few").text


def test_an_outcome_that_is_not_there_is_named_with_those_that_are(reader: TestClient) -> None:
    answer = reader.get("/truth.json?of=moon")
    assert answer.status_code == 404
    assert "demo, few" in answer.text


def test_a_home_without_one_says_what_makes_one(client: TestClient) -> None:
    page = client.get("/truth").text
    assert "startrail truth" in page
    assert client.get("/truth.json").json()["methods"] == []
    assert client.get("/truth.csv").status_code == 200
