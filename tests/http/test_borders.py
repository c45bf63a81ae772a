"""What is typed into the form is joined as typed, and what may not have been meant is said beside its field."""

import math
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.models.load import load_model
from app.models.text import Query
from app.tracing.worker import Worker
from app.words.answers import answer_end
from tests.support.asking import made_home

pytestmark = pytest.mark.slow

PROMPT = "The currency of Ghana is the"


def request_of(client: TestClient, address: str) -> dict[str, object]:
    """What was asked, from the trace's twin."""
    found: dict[str, object] = client.get(f"{address.partition('?')[0]}.json").json()["asked"]
    return found


@pytest.mark.parametrize(
    ("typed", "field", "said", "repaired"),
    [
        ({"prompt": f"{PROMPT} "}, "prompt", "ends in a space", {"prompt": PROMPT}),
        (
            {"prompt": f"{PROMPT} ", "completion": "cedi"},
            "prompt",
            "ends in a space",
            {"prompt": PROMPT, "completion": " cedi"},
        ),
        ({"completion": " cedi "}, "completion", "ends in a space", {"completion": " cedi"}),
        ({"completion": "cedi"}, "completion", "“…thecedi”", {"completion": " cedi"}),
        ({"completion": "  cedi"}, "completion", "“…the  cedi”", {"completion": " cedi"}),
        (
            {"prompt": "In Accra", "completion": " , said Emeka"},
            "completion",
            "“…Accra ,”",
            {"completion": ", said Emeka"},
        ),
        (
            {"completion": " cedi", "contrast": "dollar"},
            "contrast",
            "“…thedollar”",
            {"contrast": " dollar"},
        ),
    ],
)
def test_a_doubtful_border_is_named_beside_its_field_and_repaired_by_one_button(
    asked: tuple[TestClient, Worker],
    typed: dict[str, str],
    field: str,
    said: str,
    repaired: dict[str, str],
) -> None:
    """Pressing a button posts the form, so it works without scripts; nothing is asked before."""
    client, worker = asked
    fields = {"prompt": PROMPT} | typed
    answer = client.post("/trace", data=fields)
    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html.parser")
    doubt = page.select_one(f"#doubt-{field}[role=alert]")
    assert doubt is not None
    assert said in doubt.text
    button = doubt.select_one("button[name=repair]")
    assert button is not None
    assert worker.step() == 0
    again = {
        each["name"]: each.get("value", each.text)
        for each in page.select("form.question [name]:not(button, select)")
    }
    assert again["prompt"] == fields["prompt"]
    sent = client.post("/trace", data=fields | {"repair": button["value"]}, follow_redirects=False)
    assert sent.status_code == 303
    found = request_of(client, sent.headers["location"])
    assert {name: found[name] for name in repaired} == repaired


def test_what_was_meant_as_typed_is_asked_as_typed(asked: tuple[TestClient, Worker]) -> None:
    client, _ = asked
    fields = {"prompt": "The c", "completion": "edi"}
    assert client.post("/trace", data=fields).status_code == 422
    sent = client.post("/trace", data=fields | {"as_typed": "1"}, follow_redirects=False)
    assert request_of(client, sent.headers["location"])["completion"] == "edi"


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "日本の首都は", "completion": "東京"},
        {"prompt": "เมืองหลวงของไทยคือ", "completion": "กรุงเทพ"},
        {"prompt": "The capital of Ghana is Accra", "completion": ", said Emeka"},
        {"prompt": 'She said "', "completion": "yes"},
        {"prompt": "print", "completion": "(x)"},
        {"prompt": PROMPT, "completion": " cedi", "contrast": " dollar"},
    ],
)
def test_borders_as_they_are_written_raise_no_doubt(
    asked: tuple[TestClient, Worker], fields: dict[str, str]
) -> None:
    client, _ = asked
    assert client.post("/trace", data=fields, follow_redirects=False).status_code == 303


@pytest.mark.parametrize("prompt", [PROMPT, "The capital of Ghana is Accra", "The c", "首都は", 'He said "'])
def test_a_trace_and_what_is_asked_on_are_about_the_tokens_that_the_model_wrote(
    asked: tuple[TestClient, Worker], prompt: str
) -> None:
    """From the API through the worker and back: the page's text, the tokens, and a later question for some of them."""
    client, worker = asked
    model = load_model(made_home() / "models" / "demo")
    put = client.post("/api/traces", json={"prompt": prompt}).json()
    worker.step()
    done = client.get(f"/traces/{put['id']}.json").json()
    completion = done["answer"]["completion"]
    ids = [token["id"] for token in completion["tokens"]]
    assert done["answer"]["joined"] == prompt + completion["text"]
    start = torch.tensor([model.texts.prompt(prompt)])
    network: Any = model.model
    greedy = network.generate(
        start,
        attention_mask=torch.ones_like(start),
        max_new_tokens=len(ids),
        do_sample=False,
        use_cache=False,
    )[0].tolist()
    assert greedy == [*model.texts.prompt(prompt), *ids]
    assert BeautifulSoup(client.get(f"/traces/{put['id']}").text, "html.parser").h1.text.strip() == (
        f"{prompt}{completion['text']}".strip()
    )
    every = {"part": [f"{token['start']}-{token['end']}" for token in completion["tokens"]]}
    sent = client.post(f"/traces/{put['id']}/span", data=every, follow_redirects=False)
    worker.step()
    again = client.get(f"{sent.headers['location'].partition('?')[0]}.json").json()
    assert [token["id"] for token in again["answer"]["completion"]["tokens"]] == ids
    assert Query(prompt, completion["text"]).joined == again["answer"]["joined"]


def test_over_the_api_a_doubtful_border_is_asked_as_sent_and_named(
    asked: tuple[TestClient, Worker],
) -> None:
    """A script is not asked back; its answer says what it may not have meant, and the page repairs it."""
    client, worker = asked
    put = client.post("/api/traces", json={"prompt": f"{PROMPT} ", "completion": "cedi"}).json()
    assert [each["field"] for each in put["doubts"]] == ["prompt"]
    worker.step()
    done = client.get(f"/traces/{put['id']}.json").json()
    assert done["answer"]["joined"] == f"{PROMPT} cedi"
    page = BeautifulSoup(client.get(f"/traces/{put['id']}").text, "html.parser")
    form = page.select_one("form.doubt")
    assert form is not None
    fields = {each["name"]: each["value"] for each in form.select("[name]")}
    sent = client.post(form["action"], data=fields, follow_redirects=False)
    assert request_of(client, sent.headers["location"])["completion"] == " cedi"
    put = client.post("/api/traces", json={"prompt": PROMPT, "completion": " cedi"}).json()
    assert put["doubts"] == []


def test_what_follows_the_answer_is_kept_grey_and_can_be_chosen(asked: tuple[TestClient, Worker]) -> None:
    """A trace explains the clause by default; its tail's words are not what the model was asked for."""
    client, worker = asked
    prompts = ["Two and two are", "The capital of Iceland is", "Because it rained, the road", "Once", "The"]
    for prompt in prompts:
        put = client.post("/api/traces", json={"prompt": prompt}).json()
        worker.step()
        page = client.get(f"/traces/{put['id']}.json").json()
        answer, pieces = page["answer"], page["claim"]["pieces"]
        text, (start, end) = answer["completion"]["text"], answer["target"]
        assert (start, end) == (0, answer_end(text))
        chosen = [piece for piece in pieces if piece["chosen"]]
        assert chosen == [piece for piece in pieces if piece["start"] < end]
        joint = math.prod(token["probability"] for token in chosen)
        assert answer["completion"]["probability"] == pytest.approx(joint, rel=1e-3)
        heading = BeautifulSoup(client.get(f"/traces/{put['id']}").text, "html.parser").h1
        assert heading is not None
        assert heading.select_one("mark.target").text == text[:end].lstrip()
        assert "".join(rest.text for rest in heading.select(".quiet")[-1:]) == text[end:]
