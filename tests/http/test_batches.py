"""A hundred questions as one: taken whole or not at all, behind those that people ask singly, followed at one address."""

from fastapi.testclient import TestClient

from app.tracing.worker import Worker

QUESTIONS = [{"prompt": "The capital of France is", "k": 3}, {"prompt": "Ice melts because", "k": 3}]


def test_questions_asked_together_are_followed_together(asked: tuple[TestClient, Worker]) -> None:
    client, worker = asked
    answer = client.post("/api/v1/batches", json={"questions": QUESTIONS})
    batch = answer.json()
    assert (answer.status_code, batch["total"], batch["done"], batch["over"]) == (202, 2, 0, False)
    assert answer.headers["location"] == batch["json_url"]
    assert [each["prompt"] for each in batch["traces"]] == [each["prompt"] for each in QUESTIONS]
    single = client.post("/api/v1/traces", json={"prompt": "The currency of Ghana is the"}).json()
    assert single["place"] == 1, "a person does not wait for a hundred"
    while worker.step():
        pass
    batch = client.get(batch["json_url"]).json()
    assert (batch["done"], batch["over"]) == (2, True)
    for each in batch["traces"]:
        assert len(client.get(each["json_url"]).json()["proponents"]) == 3
    again = client.post("/api/v1/batches", json={"questions": QUESTIONS[:1]}).json()
    assert (again["over"], again["traces"][0]["reused"]) == (True, True)


def test_one_question_that_cannot_be_asked_leaves_nothing_behind(asked: tuple[TestClient, Worker]) -> None:
    """Half a batch is worse than none: which half?"""
    client, worker = asked
    answer = client.post("/api/v1/batches", json={"questions": [*QUESTIONS, {"prompt": " "}]})
    assert (answer.status_code, answer.json()["field"]) == (422, "questions[2].prompt")
    assert not worker.step()
    many = client.post("/api/v1/batches", json={"questions": [QUESTIONS[0]] * 101})
    assert many.status_code == 422
    client.app.state.settings.trace_queue_limit = 1  # type: ignore[attr-defined]  # TestClient.app is typed as any ASGI application
    full = client.post("/api/v1/batches", json={"questions": QUESTIONS})
    assert full.status_code == 503
    assert full.headers["retry-after"]
    assert not worker.step()
    assert client.get("/api/v1/batches/nothing").status_code == 404


def test_a_batch_is_taken_back_but_not_what_is_answered(asked: tuple[TestClient, Worker]) -> None:
    client, worker = asked
    done = client.post("/api/v1/traces", json=QUESTIONS[0]).json()
    while worker.step():
        pass
    batch = client.post("/api/v1/batches", json={"questions": QUESTIONS}).json()
    assert batch["traces"][0]["id"] == done["id"]
    left = client.post(f"{batch['json_url']}/cancel").json()
    assert (left["done"], left["cancelled"], left["over"]) == (1, 1, True)
    assert client.get(done["json_url"]).json()["status"] == "done"
