"""What one client may take is bounded, told with 429 and Retry-After, and leaves the others theirs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.store import jobs, leases, tokens
from app.store.engine import Store
from tests.support.asking import made_home, put_corpus
from tests.support.sites import site

SOMEBODY, ANOTHER, AT_HOME = ("203.0.113.5", 1), ("203.0.113.6", 1), ("127.0.0.1", 1)
FEW: dict[str, Any] = {f"limit_{kind}": "3/hour" for kind in (
    "questions", "steps", "uploads", "searches", "exports", "wrong_tokens")}  # fmt: skip


@pytest.fixture
def from_address(store: Store, database_url: str) -> Iterator[Any]:
    """Clients of one site with few of everything, by their address."""
    put_corpus(store)
    with site(database_url, made_home(), trace_queue_limit=8, **FEW) as first:
        yield lambda address: TestClient(first.app, client=address, raise_server_exceptions=False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # counted in memory
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/prompts?q=ghana"),
        ("GET", "/prompts.csv"),
        ("POST", "/api/traces"),
        ("POST", "/api/traces/222222222222/steps"),
        ("POST", "/api/uploads"),
    ],
)
def test_each_kind_is_counted_by_client(from_address: Any, method: str, path: str) -> None:
    """Whatever the answers were; and a client that has had its share of one kind still reads pages."""
    somebody = from_address(SOMEBODY)
    answers = [somebody.request(method, path) for _ in range(4)]
    assert [each.status_code == 429 for each in answers] == [False, False, False, True]
    refused = answers[-1]
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert "3 in 1 hour" in refused.text
    assert somebody.get("/about").status_code == 200
    for other in (ANOTHER, AT_HOME):
        assert from_address(other).request(method, path).status_code != 429
    assert 429 not in {from_address(AT_HOME).request(method, path).status_code for _ in range(6)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_refusal_is_a_page_for_people_and_a_problem_for_scripts(from_address: Any) -> None:
    somebody = from_address(("2001:db8::1", 1))
    for _ in range(3):
        somebody.get("/prompts?q=ghana")
    page = from_address(("2001:db8::2", 1)).get("/prompts?q=ghana")  # of the same household
    assert page.status_code == 429
    assert "<h1>This is more than your share for now</h1>" in page.text
    problem = somebody.get("/prompts.json?q=ghana")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["title"] == "Too Many Requests"
    assert from_address(("2001:db8:0:1::1", 1)).get("/prompts?q=ghana").status_code != 429


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_token_is_counted_by_its_name_and_wrong_ones_by_address(from_address: Any, store: Store) -> None:
    with store.session() as session:
        secret = tokens.add(session, "lab", ["ask"], expires_at=None)
    mine = {"Authorization": f"Bearer {secret}"}
    for address in (SOMEBODY, ANOTHER, SOMEBODY):
        from_address(address).get("/prompts?q=ghana", headers=mine)
    assert from_address(ANOTHER).get("/prompts?q=ghana", headers=mine).status_code == 429
    assert from_address(ANOTHER).get("/prompts?q=ghana").status_code != 429
    guesses = [
        from_address(SOMEBODY).get("/", headers={"Authorization": f"Bearer startrail_{n}"}).status_code
        for n in range(3)
    ]
    assert guesses == [401] * 3
    assert from_address(SOMEBODY).post("/sign-in", data={"token": "startrail_4"}).status_code == 429
    assert from_address(ANOTHER).post("/sign-in", data={"token": "startrail_4"}).status_code == 401


def test_a_full_queue_is_shared_and_clients_take_turns(from_address: Any, store: Store) -> None:
    """One client filled the queue in 6 s, and the next reader got 503."""
    from_address(SOMEBODY).app.state.fairness = from_address(AT_HOME).app.state.fairness.__class__(
        from_address(AT_HOME).app.state.settings.model_copy(update={"limit_questions": "99/hour"})
    )
    hog = from_address(SOMEBODY)
    asked = [hog.post("/api/traces", json={"prompt": f"Ghana {n}"}) for n in range(3)]
    assert [each.status_code for each in asked] == [202, 202, 429]  # a quarter of the queue of 8
    assert int(asked[-1].headers["retry-after"]) > 0
    other = from_address(ANOTHER).post("/api/traces", json={"prompt": "Togo"})
    assert other.status_code == 202
    assert other.json()["place"] == 2
    with store.session() as session:
        taken = [leases.claim(session, "worker", 1)[0].request["prompt"] for _ in range(3)]
    assert taken == ["Ghana 0", "Togo", "Ghana 1"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_who_asked_takes_a_question_back(from_address: Any, store: Store) -> None:
    """By the cookie that came with the answer, or by the token; the address alone was enough."""
    asker, stranger = from_address(SOMEBODY), from_address(ANOTHER)
    id_ = asker.post("/api/traces", json={"prompt": "Ghana"}).json()["id"]
    for path in (f"/api/traces/{id_}/cancel", f"/traces/{id_}/cancel"):
        assert stranger.post(path).status_code == 403
    assert asker.post(f"/api/traces/{id_}/cancel").status_code == 200
    with store.session() as session:
        secret = tokens.add(session, "lab", ["ask"], expires_at=None)
    mine = {"Authorization": f"Bearer {secret}"}
    id_ = asker.post("/api/traces", json={"prompt": "Togo"}, headers=mine).json()["id"]
    assert stranger.post(f"/api/traces/{id_}/cancel").status_code == 403
    assert stranger.post(f"/api/traces/{id_}/cancel", headers=mine).status_code == 200
    with store.session() as session:
        assert jobs.find(session, id_).state == "cancelled"


def test_a_limit_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit_questions"):
        site("sqlite://", tmp_path, limit_questions="often")
