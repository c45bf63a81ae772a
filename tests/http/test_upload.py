"""Loading results files: by upload, by address, from presets; whole or not at all, and only as allowed."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.store.tables import Corpus, Model, Output, Passage, Prompt, PromptSet, Result, Retrieved, Run
from tests.support.pair_files import jsonl, record
from tests.support.sites import site, store_of
from tests.support.small_server import Quiet, answering

pytestmark = pytest.mark.slow

TABLES = (Corpus, Model, Output, Passage, Prompt, PromptSet, Result, Retrieved, Run)
FILE = jsonl([record(n) for n in range(6)])


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """An empty site of the test's own; call it with settings."""
    with ExitStack() as opened:
        yield lambda **settings: opened.enter_context(site(database_url, tmp_path, **settings))


def send(
    client: TestClient, content: bytes = FILE, name: str = "c4_trex_trackstar.jsonl", **fields: str
) -> Any:
    headers = {k: fields.pop(k) for k in ("authorization",) if k in fields}
    return client.post("/api/uploads", data=fields, files={"file": (name, content)}, headers=headers)


def outcome(client: TestClient, answer: Any) -> dict[str, Any]:
    """What became of the import, once it is over."""
    assert answer.status_code == 202, answer.text
    for _ in range(600):
        state = client.get(f"{answer.json()['url']}.json").json()
        if state["over"]:
            return state
        time.sleep(0.02)
    raise AssertionError(state)


def counts(client: TestClient) -> list[int]:
    with store_of(client).session() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


def left_behind(home: Path) -> list[str]:
    """Files of uploads that are still on disk, without the small states."""
    return [p.name for p in (home / "uploads").glob("*") if p.suffix != ".json"]


@pytest.mark.parametrize("name", ["c4_trex_trackstar.jsonl", "c4_trex_trackstar.jsonl.gz"])
def test_an_uploaded_file_becomes_a_run_to_read(
    start: Callable[..., TestClient], tmp_path: Path, name: str
) -> None:
    client = start()
    state = outcome(client, send(client, gzip.compress(FILE) if name.endswith("gz") else FILE, name))
    assert (state["stage"], state["examples"], state["problem"]) == ("done", 6, None)
    items = client.get("/prompts.json").json()["listing"]["items"]
    assert [item["text"] for item in items] == [record(n)["inputs_plaintext"] for n in range(6)]
    exported = client.get(f"/prompts.jsonl?run={state['run']}").text.splitlines()
    assert [json.loads(line)["unknown_field"] for line in exported] == [record(0)["unknown_field"]] * 6
    page = BeautifulSoup(client.get(f"/upload/{state['id']}").text, "html.parser")
    for link in page.select("main a[href]"):
        assert client.get(link["href"]).status_code == 200, link
    assert left_behind(tmp_path) == []


def test_the_form_of_the_page_works_without_scripts(start: Callable[..., TestClient]) -> None:
    client = start()
    form = BeautifulSoup(client.get("/upload").text, "html.parser").select_one("form[data-upload]")
    assert form is not None
    answer = client.post(
        form["action"], data={"run": "My run"}, files={"file": ("a.jsonl", FILE)}, follow_redirects=False,
        headers={"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
    )  # fmt: skip
    assert answer.status_code == 303
    shown = client.get(answer.headers["location"])
    assert shown.status_code == 200
    assert "a.jsonl" in BeautifulSoup(shown.text, "html.parser").select_one("h1").text


@pytest.mark.parametrize(
    ("broken", "field", "said"),
    [
        (b'{"inputs_plaintext": "p", "targets_plaintext": ', None, "JSON"),
        (json.dumps({**record(3), "proponent_scores": "high"}).encode(), "proponent_scores", ""),
        (
            json.dumps({k: v for k, v in record(3).items() if k != "inputs_plaintext"}).encode(),
            "inputs_plaintext",
            "",
        ),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_imported(
    start: Callable[..., TestClient], tmp_path: Path, broken: bytes, field: str | None, said: str
) -> None:
    client = start()
    outcome(client, send(client))
    before = counts(client)
    content = jsonl([record(n, "bm25") for n in range(10, 12)]) + broken + b"\n" + jsonl([record(13)])
    state = outcome(client, send(client, content, "bad.jsonl"))
    assert state["stage"] == "failed"
    assert state["problem"]["line"] == 3
    assert field is None or state["problem"]["field"] == field
    assert said in state["problem"]["message"]
    assert state["problem"]["remedy"]
    page = client.get(f"/upload/{state['id']}").text
    assert "Line 3" in page
    assert "Nothing of the file was imported" in page
    assert counts(client) == before
    assert left_behind(tmp_path) == []


def test_two_files_of_the_same_prompts_stand_side_by_side(start: Callable[..., TestClient]) -> None:
    client = start()
    first = outcome(client, send(client))
    second = outcome(client, send(client, jsonl([record(n, "bm25") for n in range(6)]), "c4_trex_bm25.jsonl"))
    assert second["compare_url"]
    twin = client.get(second["compare_url"]).json()
    assert twin["total"] == 6
    pair = client.get(twin["rows"][0]["url"]).json()
    assert {side["run"]["slug"] for side in pair["sides"]} == {first["run"], second["run"]}
    ids = [[p["passage_id"] for p in side["proponents"]] for side in pair["sides"]]
    assert ids[0] == ids[1][::-1], "equal passages are one passage, ranked the other way round"
    assert pair["pairs"][0]["shared"] == 4


def test_a_name_given_twice_is_refused_and_a_files_name_gets_a_number(
    start: Callable[..., TestClient],
) -> None:
    client = start()
    assert outcome(client, send(client, run="mine"))["stage"] == "done"
    again = outcome(client, send(client, run="mine"))
    assert (again["stage"], again["problem"]["field"]) == ("failed", "run")
    runs = [outcome(client, send(client))["run"] for _ in range(2)]
    assert runs[0] != runs[1]


@pytest.mark.parametrize(
    ("settings", "fields", "headers", "status", "said"),
    [
        ({"upload_enabled": False}, {}, {}, 403, "switched off"),
        ({"upload_token": "s3cret"}, {}, {}, 403, "token"),
        ({"upload_token": "s3cret"}, {"token": "wrong"}, {}, 403, "token"),
        ({"upload_limit_mb": 1}, {"big": "1"}, {}, 413, "larger than 1 MB"),
        ({}, {}, {"Sec-Fetch-Site": "cross-site"}, 403, "another site"),
        ({}, {}, {"Origin": "https://evil.example"}, 403, "from a page of https://evil.example"),
        ({}, {"nofile": "1"}, {}, 422, "No file"),
        ({}, {"nofile": "1", "preset": "../startrail.db"}, {}, 404, "preset"),
        ({}, {"nofile": "1", "url": "http://127.0.0.1/x.jsonl"}, {}, 403, "not fetched"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_not_allowed_is_refused_and_leaves_nothing(
    start: Callable[..., TestClient],
    tmp_path: Path,
    settings: dict[str, Any],
    fields: dict[str, str],
    headers: dict[str, str],
    status: int,
    said: str,
) -> None:
    client = start(**settings)
    content = b"x" * (3 << 20) if fields.pop("big", "") else FILE
    files: Any = {"run": (None, "")} if fields.pop("nofile", "") else {"file": ("f.jsonl", content)}
    answer = client.post("/api/uploads", data=fields, files=files, headers=headers)
    assert answer.status_code == status
    problem = answer.json()
    assert said in problem["detail"] + problem["remedy"]
    assert sum(counts(client)) == 0
    assert not (tmp_path / "uploads").exists() or list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_token_opens_in_the_form_or_as_bearer(start: Callable[..., TestClient]) -> None:
    client = start(upload_token="s3cret")
    assert "Token" in client.get("/upload").text
    assert outcome(client, send(client, token="s3cret"))["stage"] == "done"
    assert outcome(client, send(client, authorization="Bearer s3cret"))["stage"] == "done"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_says_what_the_operator_allows(start: Callable[..., TestClient], tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "paper.jsonl").write_bytes(FILE)
    client = start(fetch_hosts=("data.example",), upload_limit_mb=7)
    twin = client.get("/upload.json").json()
    assert (twin["hosts"], twin["limit_mb"], [p["name"] for p in twin["presets"]]) == (
        ["data.example"],
        7,
        ["paper.jsonl"],
    )
    page = client.get("/upload").text
    assert all(word in page for word in ("data.example", "7 MB", "paper.jsonl"))
    off = start(upload_enabled=False).get("/upload").text
    assert "switched loading files off" in off
    assert '<form method="post"' not in off


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_preset_is_loaded_and_stays_where_it_is(start: Callable[..., TestClient], tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "paper_bm25.jsonl").write_bytes(FILE)
    client = start()
    answer = client.post("/api/uploads", files={"preset": (None, "paper_bm25.jsonl")})
    assert outcome(client, answer)["examples"] == 6
    assert (tmp_path / "presets" / "paper_bm25.jsonl").read_bytes() == FILE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_is_loaded_by_address_from_a_listed_host(
    start: Callable[..., TestClient], tmp_path: Path
) -> None:
    class Host(Quiet):
        def do_GET(self) -> None:
            body = gzip.compress(FILE) if self.path.endswith(".gz") else FILE
            self.send_response(200 if "file" in self.path else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with answering(Host) as base:
        client = start(fetch_hosts=(base.removeprefix("http://"),))
        for path in ("/file_bm25.jsonl", "/file_trackstar.jsonl.gz"):
            state = outcome(client, client.post("/api/uploads", files={"url": (None, base + path)}))
            assert (state["stage"], state["examples"]) == ("done", 6), state
        missing = outcome(client, client.post("/api/uploads", files={"url": (None, f"{base}/missing.jsonl")}))
    assert missing["stage"] == "failed"
    assert "404" in missing["problem"]["message"]
    assert left_behind(tmp_path) == []


def test_an_unknown_import_is_not_found(start: Callable[..., TestClient]) -> None:
    client = start()
    assert client.get("/upload/0123456789abcdef").status_code == 404
    assert client.get("/upload/..%2f..%2fetc.json").status_code == 404


def test_a_file_without_a_name_is_read_as_any(start: Callable[..., TestClient]) -> None:
    """A form may send the file's text as a field; the import found nothing under it."""
    client = start()
    state = outcome(client, client.post("/api/uploads", files={"file": (None, b"{}")}))
    assert state["problem"]["field"] == "inputs_plaintext"


def test_fields_of_ones_own_are_named_beside_the_file(start: Callable[..., TestClient]) -> None:
    """As `startrail import` has them: the page's own form, and an error that says what to write there."""
    client = start()
    theirs = [
        {
            "qid": n,
            "question": "The capital of Mali is",
            "gold": "Bamako",
            "found": ["Bamako, in Mali.", "Mali"],
        }
        for n in range(2)
    ]
    form = BeautifulSoup(client.get("/upload").text, "html.parser").select_one("form[data-upload]")
    assert form is not None
    given = {"id_field": "qid", "prompt_field": "question", "target_field": "gold", "text_field": "found"}
    assert [each["name"] for each in form.select("details label input")] == list(given)
    shown = client.get("/upload.json").json()["fields"]
    assert list(shown) == list(given)
    state = outcome(client, send(client, jsonl(theirs), **given))
    assert (state["problem"], state["unknown_fields"]) == (None, {})
    item = client.get("/prompts.json").json()["listing"]["items"][0]
    assert (item["text"], item["target"]) == ("The capital of Mali is", "Bamako")
    wrong = outcome(client, send(client, jsonl(theirs), **(given | {"prompt_field": "query"})))["problem"]
    assert (wrong["line"], wrong["field"]) == (1, "query")
    assert "“question”" in wrong["message"]
    assert "“prompt_field”, among the Fields of the form" in wrong["remedy"]
    assert "--" not in wrong["remedy"]
