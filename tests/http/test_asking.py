"""Asking over HTTP: a question waits, a worker answers it, its permalink and twin say the same ever after."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.tracing.worker import Worker
from app.web.asking.trace import TracePage
from app.web.asking.trace_answer import Answer

QUESTION = {"prompt": "The capital of Mali is", "completion": " Bamako"}


def test_a_question_waits_then_has_proponents(asked: tuple[TestClient, Worker]) -> None:
    client, worker = asked
    put = client.post("/api/traces", json=QUESTION)
    assert put.status_code in (200, 201, 202)
    assert put.json()["status"] == "queued"
    address = f"/traces/{put.json()['id']}"
    assert client.get(f"{address}.json").json()["status"] == "queued"
    assert worker.step() == 1
    done = client.get(f"{address}.json").json()
    assert done["status"] == "done"
    assert done["proponents"], "the first method's passages"
    assert [each["rank"] for each in done["proponents"]] == list(range(1, len(done["proponents"]) + 1))
    page = BeautifulSoup(client.get(address).text, "html.parser")
    assert "Bamako" in page.h1.text


def test_an_equal_question_is_answered_from_the_store(asked: tuple[TestClient, Worker]) -> None:
    """Nothing is computed twice for equal questions to an equal index, and the answer says so."""
    client, worker = asked
    first = client.post("/api/traces", json=QUESTION).json()
    worker.step()
    again = client.post("/api/traces", json=QUESTION).json()
    assert again["id"] == first["id"]
    assert again["reused"] is True


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "word " * 300}, "prompt"),
        ({"prompt": "a\x07b"}, "prompt"),
        ({"prompt": "The capital", "completion": "   "}, "completion"),
        ({"prompt": "The capital", "model": "nobody"}, "model"),
        ({"prompt": "The capital", "index": "nowhere"}, "index"),
    ],
)
def test_a_question_that_cannot_be_asked_names_its_field(
    asked: tuple[TestClient, Worker], question: dict[str, str], field: str
) -> None:
    """One clear problem document, and nothing in the queue."""
    client, worker = asked
    answer = client.post("/api/traces", json=question)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["field"] == field
    assert worker.step() == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "The capital of Mali is", "completion": "\x07"}, "completion"),
    ],
)
def test_the_form_comes_back_with_the_reason_at_the_field(
    asked: tuple[TestClient, Worker], fields: dict[str, str], field: str
) -> None:
    """A person reads what is wrong where it is, and what was typed is still there."""
    client, worker = asked
    answer = client.post("/trace", data=fields)
    assert 400 <= answer.status_code < 500
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one(f"#wrong-{field}[role=alert]") is not None
    assert page.select_one(f"[name={field}][aria-invalid=true]") is not None
    assert worker.step() == 0


def test_ten_megabytes_are_refused_unread_by_form_and_api(asked: tuple[TestClient, Worker]) -> None:
    client, worker = asked
    text = "word " * 2_000_000
    by_api = client.post("/api/traces", json={"prompt": text})
    assert by_api.status_code == 413
    assert by_api.headers["content-type"].startswith("application/problem+json")
    by_form = client.post("/trace", data={"prompt": text})
    assert by_form.status_code == 413
    assert worker.step() == 0


def test_the_stream_of_a_training_tells_when_it_is_over(asked: tuple[TestClient, Worker]) -> None:
    """Scripts watch a training by the address its ticket gives; it has no page to be drawn."""
    client, worker = asked
    trace = client.post("/api/traces", json=QUESTION).json()
    worker.step()
    ticket = client.post(f"/api/traces/{trace['id']}/steps", json={"control": 2}).json()
    worker.step()
    assert client.get(ticket["json_url"]).json()["status"] == "done"
    stream = client.get(ticket["events_url"])
    assert stream.status_code == 200
    assert stream.text == "data: done\n\nevent: done\ndata: \n\n"


def test_an_unknown_trace_is_a_page_that_helps(asked: tuple[TestClient, Worker]) -> None:
    client, _ = asked
    answer = client.get("/traces/nothinghere2")
    assert answer.status_code == 404
    assert BeautifulSoup(answer.text, "html.parser").h1 is not None


@pytest.mark.parametrize(
    ("pending", "filling", "to_measure", "listens"),
    [
        (True, False, None, True),
        (False, False, None, True),  # it failed or was cancelled, and may be asked again
        (False, True, [], True),
        (False, False, [7], True),
        (False, False, [], False),
    ],
)
def test_a_page_listens_as_long_as_events_can_come(
    pending: bool, filling: bool, to_measure: list[int] | None, listens: bool
) -> None:
    """What listens is a twentieth of a first visit, and of no use on an answer whose every step is known."""
    told: dict[str, Any] = {"to_measure": to_measure}
    state: dict[str, Any] = {"pending": pending, "filling": filling}
    state["answer"] = None if to_measure is None else Answer.model_construct(**told)
    assert TracePage.model_construct(**state).listens is listens
