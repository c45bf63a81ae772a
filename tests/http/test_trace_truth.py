"""A typed prompt whose truth the site knows: the trace says whether the model is right, and nothing where nobody knows."""

from collections.abc import Sequence
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient

from app.store.engine import Store
from app.store.prompts import PromptRecord, add_prompts, asking
from app.tracing.worker import Worker
from app.words.answers import answer_of
from startrail.client import _answer

pytestmark = pytest.mark.slow

PROMPT = "The river that Ines followed was the"


def page_of(asked: tuple[TestClient, Worker], **fields: str) -> dict[str, Any]:
    client, worker = asked
    put = client.post("/api/traces", json={"prompt": PROMPT, **fields}).json()
    worker.step()
    page: dict[str, Any] = client.get(f"/traces/{put['id']}.json").json()
    return page


def know(store: Store, name: str, target: str, aliases: Sequence[str] = ()) -> None:
    """A prompt set that has the prompt with this target."""
    with store.session() as session:
        add_prompts(session, name, [PromptRecord("river", PROMPT, target, aliases=aliases)])


def test_what_was_said_is_judged_by_the_stored_prompt_of_the_same_text(
    asked: tuple[TestClient, Worker], store: Store
) -> None:
    """Also when the prompt came to the site after the question: a page says what is known when it is read."""
    page = page_of(asked)
    assert page["correct"] is None
    know(store, "mine", "Ganges")
    page = page_of(asked)
    assert (page["correct"], page["claim"]["right"], page["claim"]["truth"]) == (False, False, "Ganges")
    assert _answer(page).correct is False
    claim = BeautifulSoup(asked[0].get(f"/traces/{page['id']}").text, "html.parser").select_one("main")
    assert "The truth is “Ganges”" in " ".join(claim.text.split())
    assert claim.select_one(".tag.bad").text == "wrong"


def test_an_alias_is_right_too_and_two_sets_that_disagree_tell_nothing(
    asked: tuple[TestClient, Worker], store: Store
) -> None:
    said = answer_of(page_of(asked)["claim"]["said"])
    know(store, "aliased", "Ganges", aliases=[said])
    page = page_of(asked)
    assert (page["correct"], page["claim"]["truth"]) == (True, None)
    know(store, "other", "Indus")
    assert page_of(asked)["correct"] is None


def test_a_text_that_was_given_is_not_what_the_model_answered(
    asked: tuple[TestClient, Worker], store: Store
) -> None:
    """To explain the truth does not make the model right."""
    know(store, "mine", "Ganges")
    page = page_of(asked, completion=" Ganges")
    assert (page["explains"], page["correct"]) == ("target", None)


def test_the_beginning_of_what_is_right_is_not_called_wrong(
    asked: tuple[TestClient, Worker], store: Store
) -> None:
    """Somebody who asks for the first words of a name has not seen how the model goes on."""
    tokens = page_of(asked)["answer"]["completion"]["tokens"]
    begun = "".join(token["text"] for token in tokens[:2])
    know(store, "mine", f"{begun.strip()}-sur-Mer")
    page = page_of(asked, completion=begun)
    assert page["correct"] is None


def test_prompts_of_any_length_are_found(store: Store) -> None:
    """PostgreSQL's trees refuse entries over 2,704 bytes; a prompt may be a whole page."""
    long = "".join(chr(0x4E00 + at % 9_000) for at in range(30_000))
    with store.session() as session:
        add_prompts(session, "long", [PromptRecord("a", long, "b"), PromptRecord("c", f"{long}.", "d")])
        assert [prompt.target for prompt in asking(session, long)] == ["b"]


def test_a_trace_is_cited_and_taken_along_like_an_example(asked: tuple[TestClient, Worker]) -> None:
    """Both are one page with the same tools; a question not answered yet has nothing to take."""
    client, worker = asked
    put = client.post(
        "/api/traces", json={"prompt": PROMPT, "completion": " Nile", "contrast": " Volga"}
    ).json()
    base = f"/traces/{put['id']}"
    assert [client.get(base + part).status_code for part in (".csv", "/cite")] == [409, 409]
    worker.step()
    rows = client.get(f"{base}.csv").text.splitlines()
    page = client.get(f"{base}.json").json()
    assert len(rows) - 1 == len(page["proponents"]) + len(page["opponents"])
    said = client.get(f"{base}/cite.txt").text
    assert f"Startrail trace {put['id']}" in said
    assert "rather than “Volga”" in said
    tools = BeautifulSoup(client.get(base).text, "html.parser").select(".tools a")
    assert {"Cite", "CSV", "JSON", "Edit and ask again"} <= {each.text for each in tools}
