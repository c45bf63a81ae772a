"""Train without passages: from the ticks of a form, over the job and its progress, to a page that says both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.demo.pretrain import PretrainConfig
from app.settings import Settings
from app.store.tables import Passage
from app.tracing.trace_engine import TraceEngine
from app.tracing.worker import Worker
from tests.support.outcomes import keep_outcome
from tests.support.sites import site, store_of

SMALL = PretrainConfig(
    vocab_size=300,
    hidden_size=16,
    layers=1,
    heads=2,
    kv_heads=2,
    intermediate_size=16,
    epochs=1,
    batch_size=8,
    bfloat16=False,
)


@pytest.fixture(scope="module")
def told(
    filled_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, dict[str, Any]]]:
    """A site whose home has an outcome of its corpus: twelve prompts, of which the first is a stored one."""
    home = tmp_path_factory.mktemp("without")
    with site(filled_url, home) as opened:
        store = store_of(opened)
        known = keep_outcome(store, home, SMALL)
        known["home"] = home
        yield opened, known
        store.engine.dispose()


def soup(client: TestClient, url: str, **query: Any) -> BeautifulSoup:
    return BeautifulSoup(client.get(url, params=query).text, "html.parser")


def test_ticks_are_predicted_at_once_with_an_interval(told: tuple[TestClient, dict[str, Any]]) -> None:
    client, known = told
    page = client.get("/without.json", params={"passage": known["ids"][:3], "prompt": known["prompt"]}).json()
    (asked,) = page["prompts"]
    said = asked["foretold"]
    assert (said["total"], said["known"], page["left_out"]) == (4.0, 2, 3)
    assert said["low"] < said["change"] < said["high"] < 0
    assert said["change"] == pytest.approx(-4.0 * page["worth"]["slope"])
    boxes = soup(client, "/without", passage=known["ids"][:3]).select("input[name=passage]")
    assert [int(str(box["value"])) for box in boxes if box.has_attr("checked")] == known["ids"][:3]


def test_a_form_becomes_a_job_that_trains_and_a_page_that_says_both(
    told: tuple[TestClient, dict[str, Any]],
) -> None:
    client, known = told
    form = {"passage": [str(id_) for id_ in known["ids"][:3]], "prompt": [known["prompt"]]}
    sent = client.post("/without", data=form, follow_redirects=False)
    assert sent.status_code == 303, sent.text
    page = sent.headers["location"]
    waiting = client.get(f"{page}.json").json()
    assert (waiting["status"], waiting["pending"], waiting["rows"][0]["change"]) == ("queued", True, None)
    assert soup(client, page).select_one(f'form[action="{page}/cancel"] button')
    store = store_of(client)
    settings: Settings = client.app.state.settings  # type: ignore[attr-defined]  # TestClient.app is any ASGI application
    worker = Worker(store, TraceEngine(settings, store, device="cpu"))
    assert worker.step() == 1
    done = client.get(f"{page}.json").json()
    (row,) = done["rows"]
    assert done["status"] == "done", done["error"]
    assert row["change"] == pytest.approx(row["after"] - row["before"])
    assert row["predicted"]["total"] == 4.0
    assert row["inside"] == (row["predicted"]["low"] <= row["change"] <= row["predicted"]["high"])
    assert [each["external_id"] for each in done["passages"]] == known["external"][:3]
    assert done["command"].startswith("startrail without ")
    assert {"passages", "prompts"} == done["request"].keys()
    places = list((Path(known["home"]) / "truth" / "small.without").iterdir())
    assert [each.name for place in places for each in place.iterdir()] == ["everything"], "kept and shared"
    text = soup(client, page).get_text(" ", strip=True)
    assert "Trained without" in text
    assert page in {link["href"] for link in soup(client, "/truth").select("a[href]")}, "listed"
    again = client.post("/without", data=form, follow_redirects=False)
    assert again.headers["location"] == page, "the same question has one answer"
    ticket = client.post("/api/v1/without", json=done["request"])
    assert (ticket.status_code, ticket.json()["reused"]) == (200, True)


def test_what_is_cancelled_is_not_trained(told: tuple[TestClient, dict[str, Any]]) -> None:
    client, known = told
    asked = {"passages": known["ids"][3:5], "prompts": [{"prompt": "The sky is", "completion": " blue"}]}
    ticket = client.post("/api/v1/without", json=asked).json()
    assert client.post(f"/without/{ticket['id']}/cancel", follow_redirects=False).status_code == 303
    page = client.get(ticket["json_url"]).json()
    assert (page["status"], page["pending"]) == ("cancelled", False)
    assert page["rows"][0]["predicted"]["total"] is None, "of a typed prompt no influence is known"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"prompt": ["x"]}, "No passage is ticked"),
        ({"all": ["everything"]}, "names no passages"),
        ({"passage": ["one"]}, "number"),
    ],
)
def test_what_cannot_be_asked_is_said_on_the_form(
    told: tuple[TestClient, dict[str, Any]], form: dict[str, list[str]], said: str
) -> None:
    client, _ = told
    answer = client.post("/without", data=form)
    assert answer.status_code == 422
    assert said in answer.text


def test_more_passages_than_are_left_out_at_once_are_refused(told: tuple[TestClient, dict[str, Any]]) -> None:
    client, _ = told
    asked = {"passages": list(range(1_001)), "prompts": [{"prompt": "a", "completion": " b"}]}
    answer = client.post("/api/v1/without", json=asked)
    assert answer.status_code == 422
    assert answer.json()["field"] == "passages"


def test_groups_are_all_that_state_a_fact_repeat_a_passage_or_are_of_one_source(
    told: tuple[TestClient, dict[str, Any]],
) -> None:
    client, known = told
    first = known["ids"][0]
    page = client.get("/without.json", params={"passage": first, "all": f"near:{first}"}).json()
    near = next(each for each in page["groups"] if each["value"] == f"near:{first}")
    assert near["checked"]
    assert near["count"] >= 1, "it repeats itself"


def test_without_an_outcome_nothing_is_predicted_and_nothing_pretended(client: TestClient) -> None:
    with store_of(client).session() as session:
        id_ = session.scalars(select(Passage.id).order_by(Passage.id)).first()
    answer = client.get("/without", params={"passage": id_})
    assert "startrail truth" in answer.text
    assert "No small model was trained" in answer.text
    assert client.get("/without/nothing").status_code == 404
