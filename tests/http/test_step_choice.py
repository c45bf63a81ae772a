"""Which optimizer steps, and how far, can be chosen where steps are asked for, and stands beside what came of it."""

import re

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.models.optimizers import OPTIMIZERS
from app.tracing.worker import Worker
from tests.http.test_asking import QUESTION

pytestmark = pytest.mark.slow

Site = tuple[TestClient, Worker]


@pytest.fixture
def trace(asked: Site) -> str:
    client, worker = asked
    put = client.post("/api/traces", json=QUESTION).json()
    worker.step()
    return str(put["id"])


def stepped(asked: Site, trace: str, **choice: object) -> dict:
    client, worker = asked
    ticket = client.post(f"/api/traces/{trace}/steps", json={"control": 2, **choice})
    assert ticket.status_code == 202, ticket.text
    worker.step()
    return client.get(ticket.json()["json_url"]).json()["result"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_and_says_so(asked: Site, trace: str, name: str) -> None:
    """The demo kept Adafactor's state: only the others' is estimated, at a rate that the rule chose."""
    result = stepped(asked, trace, optimizer=name)
    assert result["settings"]["optimizer"] == name
    assert result["settings"]["learning_rate"] > 0
    estimated = re.fullmatch(r"estimated from \d+ passages", result["settings"].get("second_moments", ""))
    assert bool(estimated) == (name != "adafactor")
    assert len(result["control"]) == 2


def test_a_learning_rate_is_taken_kept_and_told(asked: Site, trace: str) -> None:
    small, large = (stepped(asked, trace, learning_rate=rate) for rate in (1e-6, 1e-3))
    assert [each["settings"]["learning_rate"] for each in (small, large)] == [1e-6, 1e-3]
    moved = [sum(abs(step["change"]) for step in each["steps"]) for each in (small, large)]
    assert moved[0] < moved[1]


def test_steps_of_two_kinds_do_not_stand_side_by_side(asked: Site, trace: str) -> None:
    """The page shows the newest kind alone; the other is kept as it was."""
    client, _ = asked
    first = stepped(asked, trace, learning_rate=1e-3)
    shown = client.get(f"/traces/{trace}.json").json()
    one = shown["proponents"][0]["passage_id"]
    stepped(asked, trace, optimizer="sgd", passages=[one])
    shown = client.get(f"/traces/{trace}.json").json()
    assert shown["evidence"]["settings"]["optimizer"] == "sgd"
    dots = [d for lane in shown["evidence"]["lanes"] if lane["name"] == "for" for d in lane["dots"]]
    assert [dot["passage_id"] for dot in dots] == [one]
    again = client.post(f"/api/traces/{trace}/steps", json={"control": 2, "learning_rate": 1e-3})
    assert again.status_code == 200
    assert client.get(again.json()["json_url"]).json()["result"] == first


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"optimizer": "lion"}, "optimizer"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": -1e-3}, "learning_rate"),
        ({"learning_rate": 1e6}, "learning_rate"),
    ],
)
def test_what_no_step_can_be_taken_with_is_named(
    asked: Site, trace: str, choice: dict[str, object], field: str
) -> None:
    client, worker = asked
    answer = client.post(f"/api/traces/{trace}/steps", json=choice)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert worker.step() == 0


def test_the_page_offers_every_optimizer_and_shows_what_was_chosen(asked: Site, trace: str) -> None:
    """Without scripts: a plain form with the lanes' passages, and back to the page that says how they were stepped on."""
    client, worker = asked
    stepped(asked, trace)
    page = BeautifulSoup(client.get(f"/traces/{trace}").text, "html.parser")
    form = page.select_one(".another-step form")
    assert form is not None
    assert [option["value"] for option in form.select("option")] == ["", *OPTIMIZERS]
    passages = [field["value"] for field in form.select("[name=passage]")]
    assert passages
    values = {"passage": passages, "optimizer": "sgd", "learning_rate": "0.000010000000000000026"}
    back = client.post(str(form["action"]), data=values, follow_redirects=False)
    assert back.status_code == 303
    worker.step()
    page = BeautifulSoup(client.get(f"/traces/{trace}").text, "html.parser")
    said = " ".join(page.select_one(".how").get_text().split())
    assert "SGD, learning rate 1e-05" in said
    assert "as asked for" in said
