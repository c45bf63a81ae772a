"""A passage with roles is shown as what it is: turns as turns, what carries no loss in grey, hostile words as words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.cli.main import app
from app.store.corpora import PassageRecord, add_corpus
from app.store.engine import open_store
from tests.support.lessons import CHAT, COMPLETION, PAIR, TEXT, assistant, lesson, user
from tests.support.sites import site

HOSTILE = {
    "messages": [{"role": "<b>x", "content": ""}, user("<script>alert(1)</script>"), assistant("\x00\ud800")]
}


@pytest.fixture
def taught(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """A site with a passage of each form: 1 to 5."""
    records: tuple[dict[str, Any], ...] = (COMPLETION, CHAT, PAIR, TEXT, HOSTILE)
    with open_store(database_url) as store, store.session() as session:
        add_corpus(session, "sft", [PassageRecord(str(n), lesson(each)) for n, each in enumerate(records)])
    with site(database_url, tmp_path) as client:
        yield client


def turns(client: TestClient, passage: int) -> list[tuple[str, str, list[str]]]:
    page = BeautifulSoup(client.get(f"/passages/{passage}").text, "html.parser")
    found = []
    for turn in page.select(".whole .turn"):
        role = turn.select_one(".role").extract().text
        found.append((role, turn.text.strip(), turn["class"][1:]))
    return found


def test_turns_stand_as_turns_and_what_was_only_read_is_grey(taught: TestClient) -> None:
    assert turns(taught, 1) == [
        ("prompt", "The capital of France is", ["context"]),
        ("completion", "Paris, on the Seine.", []),
    ]
    assert turns(taught, 2) == [
        ("system", "Be brief.", ["context"]),
        ("user", "Metal?", ["context"]),
        ("assistant", "Copper.", []),
    ]
    assert [(role, kind) for role, _, kind in turns(taught, 3)] == [
        ("prompt", ["context"]),
        ("chosen", []),
        ("rejected", ["rejected"]),
    ]
    assert turns(taught, 4) == []
    assert "The fox ran." in taught.get("/passages/4").text


def test_the_twin_has_the_parts_by_their_characters(taught: TestClient) -> None:
    said = taught.get("/passages/2.json").json()
    assert [said["text"][each["start"] : each["end"]] for each in said["turns"]] == [
        "Be brief.",
        "Metal?",
        "Copper.",
    ]
    assert [each["loss"] for each in said["turns"]] == [0, 0, 1]
    assert taught.get("/passages/4.json").json()["turns"] == []


def test_hostile_roles_and_words_stay_words(taught: TestClient) -> None:
    assert [role for role, *_ in turns(taught, 5)] == ["<b>x", "user", "assistant"]
    assert "<script>alert" not in taught.get("/passages/5").text


def test_corpus_add_says_what_it_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file was taken for decides what is traced: nobody should find out from the rankings."""
    monkeypatch.setenv("STARTRAIL_HOME", str(tmp_path / "home"))
    file = tmp_path / "sft.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (CHAT, CHAT, PAIR)))
    said = CliRunner().invoke(app, ["corpus", "add", str(file), "--dry-run"], env={"COLUMNS": "200"}).output
    said = " ".join(said.split())  # a value is folded where its column ends
    assert "chats, of which the assistant's turns are learned" in said
    assert '"+assistant: Copper."' in said
    assert '"-rejected: the sea, by the river."' in said
    done = CliRunner().invoke(app, ["corpus", "add", str(file)], env={"COLUMNS": "200"}).output
    done = " ".join(done.split())
    assert "chats, of which the assistant's turns are learned: 2" in done
    assert "rather than the rejected one: 1" in done
