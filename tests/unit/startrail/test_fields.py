"""The client reads no field that the document does not promise: a site that keeps its promise must not break it."""

from pathlib import Path
from typing import Any

import pytest

from startrail import Client
from startrail.agents import Tools
from tests.support.promised import instance, site

STEPS = {"probability": 0.5, "steps": [{"passage_id": 1, "change": 2.0}], "control": [], "settings": {}}
KNOWN: dict[str, Any] = {
    "status": "done", "over": True, "next_url": None, "problem": None, "error": None, "result": STEPS, "slug": "x",
}  # fmt: skip
CALLS = {
    "runs": lambda client, file: client.runs(),
    "prompts": lambda client, file: list(client.prompts("x")),
    "example": lambda client, file: client.example("x", "y"),
    "trace": lambda client, file: client.trace("The capital of Mali is"),
    "answer": lambda client, file: client.answer("x"),
    "step": lambda client, file: client.step("x"),
    "import_results": lambda client, file: client.import_results(file),
    "export": lambda client, file: client.export("x", file.with_suffix(".out")),
    "search": lambda client, file: Tools(client).search("capital"),
    "read a passage": lambda client, file: Tools(client).read("/passages/1"),
    "read a run": lambda client, file: Tools(client).read("/runs/x"),
    "read an example": lambda client, file: Tools(client).read("/runs/x/prompts/y"),
    "read a trace": lambda client, file: Tools(client).read("/traces/x"),
    "trace for an agent": lambda client, file: Tools(client).trace("The capital of Mali is"),
    "step for an agent": lambda client, file: Tools(client).step("x"),
    "compare": lambda client, file: Tools(client).compare("y", ["a", "b"]),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_field_that_is_read_is_promised(call: str, tmp_path: Path) -> None:
    """A passage's `change` was read, which no card has: it was None, also where a step had been made."""
    file = tmp_path / "mine.jsonl"
    file.write_text("{}\n")
    asked: list[str] = []
    with Client("http://localhost:8000", http=site(KNOWN, asked)) as client:
        CALLS[call](client, file)
    assert asked


def test_every_method_is_called_here() -> None:
    """A new one reads promised fields as well, or is named here."""
    own = {name for name in vars(Client) if not name.startswith("_")} - {"get", "close"}
    assert own <= CALLS.keys()


def test_what_a_step_did_stands_beside_its_passage() -> None:
    with Client("http://localhost:8000", http=site(KNOWN | {"tail_patch": 6.4}, [])) as client:
        answer = client.answer("x")
    assert [each.change for each in answer.proponents] == [6.4]


def test_a_field_that_is_not_promised_is_found() -> None:
    """The test itself: asking for it, even politely, is what fails."""
    card = instance({"$ref": "#/components/schemas/Card"}, KNOWN)
    assert card["rank"] == 1
    with pytest.raises(AssertionError, match="no field “change”"):
        card.get("change")
