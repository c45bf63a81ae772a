"""A chat as a question: the model's template writes it, and what was typed as turns is read as turns."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from transformers import AutoTokenizer

from app.store.engine import Store
from app.tracing.worker import Worker
from tests.support.asking import made_home, put_corpus, settings_of, worker_of
from tests.support.sites import site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEMPLATE = (
    "{% for m in messages %}{% if loop.first and m.role == 'assistant' %}{{ raise_exception('a user begins') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "The capital of Mali?"}]
ANSWERED = [*ASKED, {"role": "assistant", "content": "Bamako. It has 2 rivers."}]


@pytest.fixture
def chatting(store: Store, database_url: str, tmp_path: Path) -> Iterator[tuple[TestClient, Worker, Path]]:
    """The asking site, whose model has a template."""
    home = shutil.copytree(made_home(), tmp_path / "home")
    (home / "models" / "demo" / "chat_template.jinja").write_text(TEMPLATE)
    put_corpus(store)
    with (
        worker_of(settings_of(home, database_url), store) as worker,
        site(database_url, home) as client,
    ):
        yield client, worker, home


def test_a_chat_is_asked_as_the_model_reads_it(chatting: tuple[TestClient, Worker, Path]) -> None:
    client, worker, home = chatting
    put = client.post("/api/v1/traces", json={"messages": ASKED, "completion": "Bamako"}).json()
    assert worker.step() == 1
    done = client.get(put["json_url"]).json()
    assert done["status"] == "done", done["error"]
    tokenizer = AutoTokenizer.from_pretrained(home / "models" / "demo")
    written = tokenizer.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True)
    assert done["asked"]["prompt"] == written, "to the letter what the model's own tokenizer writes"
    page = BeautifulSoup(client.get(put["url"]).text, "html.parser")
    assert [turn.get_text(" ", strip=True) for turn in page.select("h1 .turn")][:2] == [
        "system Be brief.",
        "user The capital of Mali?",
    ]


def test_the_last_answer_is_what_is_explained(chatting: tuple[TestClient, Worker, Path]) -> None:
    """Over HTTP, and typed into the form: both are the same question."""
    client, _, _ = chatting
    put = client.post("/api/v1/traces", json={"messages": ANSWERED}).json()
    asked = client.get(put["json_url"]).json()["asked"]
    assert asked["completion"] == "Bamako. It has 2 rivers."
    assert asked["prompt"].endswith("<|im_start|>assistant\n")
    form = BeautifulSoup(client.get("/trace").text, "html.parser")
    assert form.select_one("input[type=checkbox][name=chat]") is not None
    typed = "\n".join(f"{turn['role']}: {turn['content']}" for turn in ANSWERED)
    sent = client.post("/trace", data={"prompt": typed, "chat": "1"}, follow_redirects=False)
    again = client.get(f"{sent.headers['location'].partition('?')[0]}.json").json()["asked"]
    assert (again["prompt"], again["completion"]) == (asked["prompt"], asked["completion"])


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"messages": [{"role": "assistant", "content": "So."}]}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        ({"messages": [{"role": "somebody", "content": "So."}]}, "messages"),
        ({"messages": ANSWERED, "completion": "Bamako"}, "completion"),
        ({"messages": ASKED, "prompt": "The capital of Mali is"}, "messages"),
    ],
)
def test_a_chat_that_cannot_be_asked_says_why(
    chatting: tuple[TestClient, Worker, Path], sent: dict[str, object], field: str
) -> None:
    client, worker, _ = chatting
    answer = client.post("/api/v1/traces", json=sent)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert worker.step() == 0


def test_a_model_without_a_template_says_so(
    asked: tuple[TestClient, Worker],
) -> None:
    client, _ = asked
    answer = client.post("/api/v1/traces", json={"messages": ASKED})
    assert answer.status_code == 422
    assert "no chat template" in answer.json()["detail"]
    assert "As a chat" not in client.get("/trace").text
